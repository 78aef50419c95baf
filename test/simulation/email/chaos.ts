import { topicNames } from '../../../src/email/topic-names.ts'
import type { Random } from '../../../src/random.ts'
import { partitionKey, type TopicPartition } from '../../../src/runtime/ports.ts'
import type { MemoryBroker } from '../../../src/testing/memory-broker.ts'
import { partitions } from './business-systems.ts'
import { applicationId, type EmailMachine } from './email-machine.ts'
import { EmailWorld, type EmailWorldOptions } from './email-world.ts'
import { comeToRest } from './come-to-rest.ts'
import { type TroubleRates, troubles } from './mail-relay.ts'
import type { WebhookReceiver } from './webhook-receiver.ts'

const chaosSteps = 22
export interface LifeOptions extends Pick<
  EmailWorldOptions,
  'alteration' | 'windowMs' | 'withWebhooks' | 'guarantee'
> {
  /** What else happens at each step of the chaos. */
  readonly atStep?: (world: EmailWorld) => void
}

/** One seeded life: everything goes wrong for a while; then everything heals, and everything must end. */
export async function liveThrough(
  seed: number,
  { atStep, ...options }: LifeOptions = {},
): Promise<EmailWorld> {
  const world = new EmailWorld({ seed, inDoubt: seed % 3 === 0 ? 'resend' : 'hold', ...options })
  const { simulation, business, relay, machines } = world
  const { random, faults } = simulation
  relay.rates = troubleRates(random)
  if (options.withWebhooks === true) world.receiver.rates = receiverRates(random)
  const rate = (max: number): number => (random.next() < 0.5 ? 0 : random.next() * max)
  faults.rates = {
    lostRequest: rate(0.03),
    lostReply: rate(0.03),
    slowRequest: rate(0.04),
    slowReply: rate(0.04),
    slowMsMax: 12_000,
  }
  tellWeather(world, seed)
  world.atMoment = disturbanceOfMoments(world)
  for (const machine of machines) if (random.next() < 0.6) machine.start()
  for (let step = 0; step < chaosSteps; step += 1) {
    business.publish()
    business.publish()
    disturb(world)
    atStep?.(world)
    await pass(world)
  }
  await comeToRest(world)
  return world
}

/** Where a story begins: what is likely to go wrong in it. */
function tellWeather({ simulation, relay, inDoubt }: EmailWorld, seed: number): void {
  const percent = (rates: object): string =>
    Object.entries(rates)
      .filter(([name, share]) => !name.endsWith('Max') && share > 0)
      .map(([name, share]) => `${name} ${(Number(share) * 100).toFixed(1)} %`)
      .join(', ') || 'nothing'
  const { story, faults } = simulation
  story.tell('world', `seed ${seed}; what is in doubt: ${inDoubt}`)
  story.tell('world', `what the relay does wrong: ${percent(relay.rates)}`)
  story.tell('world', `what the network does wrong: ${percent(faults.rates)}`)
}

/** Mostly moments, in which things overlap; sometimes long enough for sessions and transactions to run out. */
async function pass(world: EmailWorld): Promise<void> {
  const { simulation } = world
  const { random } = simulation
  const kind = random.next()
  const withinMs = random.next() * (kind < 0.6 ? 80 : kind < 0.85 ? 1500 : 14_000)
  // Half of the time it is broken off in the middle of something.
  const stepsMax = random.next() < 0.5 ? 1 + Math.floor(random.next() * 150) : 1_000_000
  await simulation.run({ withinMs, stepsMax })
}

function troubleRates(random: Random): TroubleRates {
  return Object.fromEntries(
    troubles.flatMap(trouble =>
      random.next() < (/^(dot|rcpt-4yz)/.test(trouble) ? 0.5 : 0.75)
        ? []
        : [[trouble, random.next() * 0.3] as const],
    ),
  )
}

function receiverRates(random: Random): WebhookReceiver['rates'] {
  const rate = (max: number): number => (random.next() < 0.4 ? 0 : random.next() * max)
  return { unreachable: rate(0.5), silence: rate(0.4), 500: rate(0.6), 410: rate(0.1) }
}

type Disturbance = readonly [
  weight: number,
  disturb: (world: EmailWorld, machine: EmailMachine) => void,
]

const disturbances: readonly Disturbance[] = [
  [30, () => undefined],
  [12, (world, machine) => (machine.isUp ? killSome(world, machine) : machine.start())],
  [25, (_world, machine) => (machine.isUp ? machine.resume() : machine.start())],
  [8, (_world, machine) => machine.pause('awake')],
  [5, (_world, machine) => machine.pause('suspended')],
  [3, (_world, machine) => machine.stop()],
  [4, loseDisk],
  [4, corruptStore],
  [2, (_world, machine) => void (machine.disk.full = !machine.disk.full)],
  [4, expelMember],
  [4, breakBroker],
  [3, compactChangelogs],
  [2, setOffsetsBack],
]

function disturb(world: EmailWorld): void {
  const { simulation, machines } = world
  const { random } = simulation
  const machine = machines[Math.floor(random.next() * machines.length)]!
  const total = disturbances.reduce((sum, [weight]) => sum + weight, 0)
  let left = random.next() * total
  for (const [weight, act] of disturbances) {
    left -= weight
    if (left < 0) return act(world, machine)
  }
}

/** Right after a transaction 1 began, or a dot was written: deaths and pauses there are worth more than anywhere else. */
function disturbanceOfMoments({ simulation }: EmailWorld): (machine: EmailMachine) => void {
  const { random, clock } = simulation
  const killShare = random.next() < 0.5 ? 0 : random.next() * 0.3
  const pauseShare = random.next() < 0.5 ? 0 : random.next() * 0.5
  return machine => {
    const drawn = random.next()
    const inMs = random.next() * 20
    const { process } = machine
    if (drawn < killShare) clock.schedule(inMs, () => process?.kill())
    else if (drawn < killShare + pauseShare) {
      // A machine sleeps for as long as an attempt may take and its session lasts; a process stops for longer than that.
      const suspended = random.next() < 0.5
      const forMs = suspended ? 4000 + random.next() * 5000 : 2000 + random.next() * 23_000
      clock.schedule(inMs, () => process?.pause(suspended ? 'suspended' : 'awake'))
      clock.schedule(inMs + forMs, () => process?.resume())
    }
  }
}

/** A process, or one of its threads, while the others live on. */
function killSome({ simulation, reached }: EmailWorld, machine: EmailMachine): void {
  const dies = machine.threads.length === 1 || simulation.random.next() < 0.3
  if (dies) return machine.killAll()
  if (machine.threads.some(each => each.isUp && each !== machine)) reached.note('thread died alone')
  machine.kill()
}

function loseDisk(world: EmailWorld, machine: EmailMachine): void {
  machine.killAll()
  if (machine.disk.contents.stores.size > 0) world.reached.note('disk lost')
  machine.disk.lose()
  machine.start()
}

function corruptStore({ simulation, reached }: EmailWorld, { disk }: EmailMachine): void {
  const paths = [...disk.contents.stores.keys()]
  const path = paths[Math.floor(simulation.random.next() * paths.length)]
  if (path === undefined) return
  reached.note('store corrupted')
  const [taskId = '', store = ''] = path.split('/')
  disk.corrupt(taskId, store)
}

function expelMember({ simulation, group, reached }: EmailWorld): void {
  const { members } = group
  const member = members[Math.floor(simulation.random.next() * members.length)]
  if (member === undefined) return
  reached.note('member expelled')
  group.remove(member.memberId, 'the test expels it')
}

function breakBroker({ simulation, reached }: EmailWorld): void {
  const { random, faults } = simulation
  const partition = Math.floor(random.next() * partitions)
  const targets = [
    '*',
    `group ${applicationId}`,
    `transaction ${applicationId}-a-0`,
    `${topicNames.sent}/${partition}`,
    `${applicationId}-outbox-changelog/${partition}`,
    `${applicationId}-dedup-changelog/${partition}`,
  ]
  reached.note('broker out')
  faults.outage(targets[Math.floor(random.next() * targets.length)]!, random.next() * 15_000)
}

function compactChangelogs(world: EmailWorld): void {
  const { broker } = world.simulation
  for (const store of [
    'dedup',
    'outbox',
    'outcomes',
    'webhooks',
    'message-ids',
    'dedup-positions',
    'send-positions',
    'callback-positions',
    'webhook-positions',
  ])
    for (let partition = 0; partition < partitions; partition += 1)
      broker.findLog({ topic: `${applicationId}-${store}-changelog`, partition })?.compact('keep')
  world.compacted = true
  world.reached.note('changelogs compacted')
}

/** An operator's reset to earliest, which Kafka allows only for a group without members. */
function setOffsetsBack(world: EmailWorld): void {
  const { machines, simulation, group, reached } = world
  for (const machine of machines) machine.kill()
  const all = everyPartition(simulation.broker)
  simulation.clock.schedule(16_000, () => {
    const committed = group.offsets.stable(all)
    if (group.members.length > 0 || committed === undefined) return
    reached.note('offsets set back')
    world.offsetsSetBack = true
    const known = all.filter(at => committed.has(partitionKey(at)))
    group.offsets.set(
      known.map(({ topic, partition }) => ({ topic, partition, offset: 0, metadata: '' })),
    )
  })
}

function everyPartition(broker: MemoryBroker): TopicPartition[] {
  const topics = [
    ...Object.values(topicNames),
    `${applicationId}-requests-repartition`,
    `${applicationId}-duplicates-repartition`,
    `${applicationId}-send-commands`,
    `${applicationId}-webhooks-repartition`,
    `${applicationId}-webhook-commands`,
    `${applicationId}-bounces-repartition`,
    `${applicationId}-message-ids-repartition`,
  ]
  return topics.flatMap(topic =>
    broker.topic(topic) === undefined
      ? []
      : Array.from({ length: partitions }, (_, partition) => ({ topic, partition })),
  )
}
