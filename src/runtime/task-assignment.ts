import { type assignTasks, taskIdOf } from './assignor.ts'
import type { GroupAssignment } from './ports.ts'
import { Task } from './task.ts'
import type { TaskContext } from './task-context.ts'
import { sourceNames } from './topic-catalog.ts'

/** The sub-topologies as the assignor sees them. */
export function taskGroups({
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
