import { StreamsError } from '../errors.ts'
import { settingNames, settings, type SettingName } from './settings.ts'

/** Settings that exclude each other, where they were given. Throws CONFIGURATION_INVALID, naming both. */
export function checkTogether(given: ReadonlyMap<SettingName, { readonly place: string }>): void {
  const relays = given.get('relays')?.place
  const single = settingNames.find(name => isOfOneRelay(name) && given.has(name))
  if (relays === undefined || single === undefined) return
  throw new StreamsError(
    'CONFIGURATION_INVALID',
    `${given.get(single)!.place} is about the one relay of --smtp, and ${relays} gives several: keep one of the two ways`,
  )
}

/** Reports of mails that came back are asked for at every relay, or at none. */
function isOfOneRelay(name: SettingName): boolean {
  return settings[name].path.startsWith('smtp') && name !== 'smtpDsn'
}
