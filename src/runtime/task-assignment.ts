import { sleep } from '../clock.ts'
import { describeError } from '../errors.ts'
import { assignTasks } from './assignor.ts'
import { taskIdOf } from './task-group.ts'
import { type GroupAssignment, type GroupAssignor, partitionKey } from './ports.ts'
import { storeDefinitionsOf } from './positions.ts'
import type { StreamsOptions } from './streams-options.ts'
import { Task } from './task.ts'
import type { TaskContext } from './task-context.ts'
import { changelogName, sourceNames } from './topic-catalog.ts'

/** The sub-topologies as the assignor sees them. */
function taskGroups({
  topology,
  applicationId,
  catalog,
}: Pick<TaskContext, 'topology' | 'applicationId' | 'catalog'>): Parameters<typeof assignTasks>[0] {
  return topology.subTopologies.map(each => ({
    name: each.name,
    topics: sourceNames(applicationId, each),
    partitions: catalog.taskCount(each),
  }))
}

type AssignorContext = Pick<
  TaskContext,
  'topology' | 'applicationId' | 'catalog' | 'cluster' | 'clock' | 'log'
>

/** How long the leader of the group asks for the ends of changelogs, milliseconds: everybody waits for it meanwhile. */
const askEndsMaxMs = 2000

/** The assignor of this application's group: its leader asks how long the changelogs are, so that state is found where it is. */
export function assignorOf(
  context: AssignorContext,
  { standbys, acceptableLag }: Pick<StreamsOptions, 'standbys' | 'acceptableLag'>,
): GroupAssignor {
  return async members => {
    const ends = members.length > 1 ? await changelogEnds(context) : undefined
    return assignTasks(taskGroups(context), members, { standbys, acceptableLag, ends })
  }
}

/** Ends of each task's changelogs, added up; undefined where the cluster does not say in time. */
async function changelogEnds(
  context: AssignorContext,
): Promise<ReadonlyMap<string, number> | undefined> {
  const { topology, applicationId, catalog, cluster, clock, log } = context
  const changelogs = topology.subTopologies.flatMap(each =>
    Array.from({ length: catalog.taskCount(each) }, (_, partition) =>
      storeDefinitionsOf(each).map(({ name }) => ({
        task: taskIdOf(each.name, partition),
        topic: changelogName(applicationId, name),
        partition,
      })),
    ).flat(),
  )
  const asked = cluster.admin.endOffsets(changelogs).catch((error: unknown) => {
    log.info({ event: 'changelog-ends-unknown' }, describeError(error))
    return undefined
  })
  const ends = await Promise.race([asked, sleep(clock, askEndsMaxMs)])
  if (!ends) return undefined
  const sums = new Map<string, number>()
  for (const each of changelogs)
    sums.set(each.task, (sums.get(each.task) ?? 0) + (ends.get(partitionKey(each)) ?? 0))
  return sums
}

/** What was assigned, by task id. */
export function tasksOf(
  assignment: GroupAssignment,
  context: TaskContext,
): Map<string, () => Task> {
  const tasks = new Map<string, () => Task>()
  for (const subTopology of context.topology.subTopologies) {
    const [first] = sourceNames(context.applicationId, subTopology)
    for (const { topic, partition } of assignment.partitions)
      if (topic === first)
        tasks.set(
          taskIdOf(subTopology.name, partition),
          () => new Task(context, subTopology, partition),
        )
  }
  return tasks
}
