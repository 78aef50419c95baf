const lengthBytes = 4
/** What a broker says in one piece, but for records: the rest of anything longer is read straight into its place. */
const windowBytes = 16 * 1024
/** A header's correlation id, and more than any answer has: what does not speak Kafka would be a length of gigabytes. */
const frame = Object.freeze({ min: 4, max: 256 * 1024 * 1024 })

/**
 * Cuts what a connection brings into frames: four bytes of length, then as many. The one who reads asks for `room` and reads into
 * it, so that a frame of megabytes is read into one buffer of its size, without pieces and without a copy.
 */
export class FrameReader {
  readonly #onFrame: (frame: Buffer) => void
  readonly #window = Buffer.allocUnsafeSlow(windowBytes)
  readonly #length = Buffer.alloc(lengthBytes)
  #lengthFilled = 0
  #frame: Buffer | undefined
  #filled = 0

  /** Calls back with each whole frame, without its length; it is the caller's from then on. */
  constructor(onFrame: (frame: Buffer) => void) {
    this.#onFrame = onFrame
  }

  /** Where the next bytes belong; never empty. */
  room(): Buffer {
    return this.#frame?.subarray(this.#filled) ?? this.#window
  }

  /** So many bytes have been read into the last `room`. Throws for a length that no frame has. */
  read(count: number): void {
    if (this.#frame === undefined) this.#take(this.#window.subarray(0, count))
    else this.#fill(count)
  }

  #take(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) {
      if (this.#frame === undefined) {
        const copied = bytes.copy(this.#length, this.#lengthFilled, at)
        at += copied
        this.#lengthFilled += copied
        if (this.#lengthFilled === lengthBytes) this.#begin(this.#length.readUInt32BE())
      } else {
        const copied = bytes.copy(this.#frame, this.#filled, at)
        at += copied
        this.#fill(copied)
      }
    }
  }

  #begin(length: number): void {
    if (length < frame.min || length > frame.max)
      throw new RangeError(`no answer of a broker has ${length} bytes: does it speak TLS?`)
    this.#lengthFilled = 0
    this.#filled = 0
    this.#frame = Buffer.allocUnsafeSlow(length)
  }

  #fill(count: number): void {
    const whole = this.#frame!
    this.#filled += count
    if (this.#filled < whole.length) return
    this.#frame = undefined
    this.#onFrame(whole)
  }
}
