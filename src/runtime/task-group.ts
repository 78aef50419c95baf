/** Tasks to spread: the partitions of one sub-topology, and the topics that go with each of them. */
export interface TaskGroup {
  readonly name: string
  readonly topics: readonly string[]
  readonly partitions: number
}

export function taskIdOf(group: string, partition: number): string {
  return `${group}_${partition}`
}
