import SMTPConnection from 'nodemailer/lib/smtp-connection'

/** Hands a message in as a mail server does; resolves with the answers, one for each recipient. */
export async function handIn(
  { address }: { readonly address: string },
  message: Buffer,
  to = ['bounces@example.com'],
): Promise<string> {
  const connection = new SMTPConnection({
    host: '127.0.0.1',
    port: Number(address.split(':').at(-1)),
    lmtp: true,
  })
  return new Promise(resolve => {
    connection.on('error', error => resolve(String(error)))
    connection.connect(() => {
      // The null sender, as every report has.
      connection.send({ from: '', to }, message, (error, info) => {
        connection.close()
        resolve(error ? error.message : info.response)
      })
    })
  })
}
