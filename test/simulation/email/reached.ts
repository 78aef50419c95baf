/** How often the chaos came by somewhere: a run that never gets to the interesting places proves nothing. */
export class Reached {
  readonly counts = new Map<string, number>()

  note(path: string, times = 1): void {
    this.counts.set(path, (this.counts.get(path) ?? 0) + times)
  }

  add(other: Reached): void {
    for (const [path, times] of other.counts) this.note(path, times)
  }
}
