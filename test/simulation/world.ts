/**
 * One run's world: a log, machines with disks, a process on each, and somebody who starts processes again. Faults come
 * from the plan's rates; everything random comes from the seed.
 */
import { SeededRandom, isMillraceError, messageOf } from '#core'
import type { Logger } from '#core'
import type { Appender, Log, Transactor } from '#log'
import { Actor, Scheduler, SimulatedBroker } from '#log/simulated'
import type { Call, Loss, SimulatedEvent, SimulatedLog, SimulatedTransactor } from '#log/simulated'
import { startStreams } from '#processor'
import type { Streams, StreamsOptions } from '#processor'
import { withTransactors } from '../../processor/testing/with-transactors.ts'
import { Coverage } from './coverage.ts'
import { SimulatedDisk } from './disk.ts'
import { CouponScenario } from './coupon-scenario.ts'
import { LedgerScenario } from './ledger-scenario.ts'
import { appId } from './scenario.ts'
import type { Scenario } from './scenario.ts'
import { planOf } from './swarm.ts'
import type { FaultKind, Plan } from './swarm.ts'

const restartMs = 200
/** A process that does not stop in order within it is killed; milliseconds. */
const stopMs = 20_000
const dayMs = 86_400_000

interface Process {
  readonly actor: Actor
  readonly log: SimulatedLog
  streams: Streams | undefined
  ended: boolean
}

interface Machine {
  readonly name: string
  readonly disk: SimulatedDisk
  readonly skewMs: number
  process: Process | undefined
  gone: boolean
}

export interface WorldOptions {
  readonly seed: number
  readonly trace?: (line: string) => void
  /** Plants a known bug: changes the log that a process gets. */
  readonly plantLog?: (log: Log) => Log
  readonly plantBroker?: (broker: SimulatedBroker) => void
}

/** What a process gets: it also tells planted bugs where its prepared records lie. */
export interface SimulationTransactor extends Transactor {
  endOffsets(): readonly number[]
}

export class World {
  readonly plan: Plan
  readonly scheduler: Scheduler
  readonly broker: SimulatedBroker
  readonly scenario: Scenario
  readonly machines: readonly Machine[]
  readonly coverage = new Coverage()
  /** Errors that no process of the plan may end with. */
  readonly surprises: string[] = []
  /** The group was away for so long that its offsets are gone. */
  offsetsExpired = false
  readonly #options: WorldOptions
  readonly #random: SeededRandom
  readonly #client: SimulatedLog
  readonly #processes = new Map<Actor, { readonly process: Process; readonly machine: Machine }>()
  readonly #slow = new Set<string>()
  /** Until when a process cannot reach the log, virtual milliseconds. */
  readonly #awayUntil = new Map<Actor, number>()
  #lastEnds: string[] = []
  #faulty = true
  #actors = 0
  /** Commands sent and not answered yet. */
  #unanswered = 0

  constructor(options: WorldOptions) {
    this.#options = options
    this.#random = new SeededRandom(Math.imul(options.seed, 0x9e3779b1) ^ 0x5bd1e995)
    this.plan = planOf(this.#random)
    const { plan } = this
    this.scheduler = new Scheduler()
    this.scheduler.jitter = () => this.#random.next() * plan.delayMs * 0.5
    this.scheduler.intercept = (event) => this.#intercept(event)
    this.broker = new SimulatedBroker(this.scheduler, {
      delayMs: (call) => this.#delayMs(call),
      loss: (_, actor) => this.#loss(actor),
      fsyncMs: () => this.#random.next() * plan.fsyncMs,
    })
    options.plantBroker?.(this.broker)
    this.machines = Array.from({ length: plan.machines }, (_, index) => ({
      name: `m${index}`,
      disk: new SimulatedDisk(`m${index}`),
      skewMs: this.#on('clock-skew') ? this.#random.integer(-60_000, 60_000) : 0,
      process: undefined,
      gone: false,
    }))
    const startMs = Math.floor(this.scheduler.now)
    this.scenario =
      plan.scenario === 'coupons'
        ? new CouponScenario(this.#random, plan, startMs)
        : new LedgerScenario(this.#random, plan)
    this.coverage.add(`scenario: ${plan.scenario}`)
    this.#client = this.broker.connect(new Actor('client'))
    for (const [kind, rate] of plan.rates) this.trace(`plan: ${kind} at ${rate.toPrecision(2)}`)
  }

  trace(what: string): void {
    this.#options.trace?.(`${this.scheduler.now.toFixed(3)} ${what}`)
  }

  get quiet(): boolean {
    return this.#unanswered === 0
  }

  get running(): Streams[] {
    return this.machines.flatMap(({ process }) => process?.streams ?? [])
  }

  /** Why processes ended lately. */
  lastEnds(): readonly string[] {
    return this.#lastEnds
  }

  /** Makes the topics; starts the machines and the load. */
  async begin(): Promise<void> {
    const { commands, loadMs } = this.plan
    const faulty = this.#faulty
    this.#faulty = false
    const made = this.#client.admin.ensureTopics(this.scenario.topics)
    let ready = false
    void made.then(() => (ready = true))
    await this.scheduler.run(() => ready, Infinity)
    this.#faulty = faulty
    for (const machine of this.machines) this.#startLater(machine, this.#random.next() * restartMs)
    const appender = this.#client.appender()
    for (let command = 0; command < commands; command++) {
      this.scheduler.schedule(
        this.#random.next() * loadMs,
        undefined,
        'command',
        () => void this.#ask(appender),
      )
    }
    if (this.#on('long-absence') && this.#happens('long-absence')) this.#absence()
  }

  /** Ends all faults: everybody is awake, connected and started. */
  heal(): void {
    this.trace('faults end')
    this.#faulty = false
    this.broker.network.up = true
    const alive = this.machines.filter(({ gone }) => !gone)
    // Somebody has to be left to do the work.
    const [first] = this.machines
    if (alive.length === 0 && first !== undefined) first.gone = false
    for (const machine of this.machines) {
      if (machine.process !== undefined) machine.process.actor.pausedUntil = 0
      if (machine.process === undefined && !machine.gone) this.#startLater(machine, 1)
    }
  }

  /** Stops every process in order; resolves to the names of those that did not stop in time. */
  async stopAll(): Promise<string[]> {
    const running = this.machines.filter(({ process }) => process?.streams !== undefined)
    const waiting = new Set(running.map(({ name }) => name))
    for (const { name, process } of running) {
      if (process === undefined) continue
      process.ended = true
      void process.streams?.stop().then(() => waiting.delete(name))
    }
    await this.scheduler.run(() => waiting.size === 0, this.scheduler.now + stopMs)
    for (const { process } of this.machines) if (process !== undefined) process.actor.alive = false
    return [...waiting]
  }

  // ------------------------------------------------------------------------------------------------------- faults

  #on(kind: FaultKind): boolean {
    return this.#faulty && this.plan.rates.has(kind)
  }

  #happens(kind: FaultKind): boolean {
    if (!this.#faulty) return false
    const rate = this.plan.rates.get(kind)
    if (rate === undefined || this.#random.next() >= rate) return false
    this.coverage.add(`fault: ${kind}`)
    return true
  }

  #intercept(event: SimulatedEvent): 'run' | 'drop' | 'again' {
    const owner = event.actor === undefined ? undefined : this.#processes.get(event.actor)
    if (this.#options.trace !== undefined) this.trace(`${event.actor?.name ?? '-'} ${event.label}`)
    if (!this.#faulty) return 'run'
    if (owner === undefined) {
      if (this.#happens('log-power-loss')) this.#logPowerLoss()
      if (this.#happens('compaction')) this.#compact()
      return 'run'
    }
    const { machine, process } = owner
    if (this.#happens('crash')) {
      this.trace(`${process.actor.name} crashes`)
      this.#kill(machine, process)
      return 'drop'
    }
    if (this.#happens('machine-power-loss')) {
      this.#kill(machine, process)
      this.coverage.add('state writes lost with the power', machine.disk.losePower(this.#random))
      this.trace(`${machine.name} loses power`)
      return 'drop'
    }
    if (this.#happens('pause')) {
      process.actor.pausedUntil = this.scheduler.now + this.#random.integer(10, 9_000)
      this.trace(`${process.actor.name} pauses`)
      return 'again'
    }
    if (this.#happens('outage')) {
      this.#awayUntil.set(process.actor, this.scheduler.now + this.#random.integer(10, 6_000))
      this.trace(`${process.actor.name} cannot reach the log`)
    }
    if (this.#happens('restart') && process.streams !== undefined && !process.ended) {
      this.trace(`${process.actor.name} is asked to stop`)
      this.#stop(machine, process)
    }
    return 'run'
  }

  #delayMs({ topic, partition }: Call): number {
    const slow = this.#faulty && this.#slow.has(`${topic}/${partition}`) ? 20 : 1
    if (this.#on('slow-partitions') && topic !== undefined && this.#random.next() < 0.002) {
      this.coverage.add('fault: slow-partitions')
      this.#slow.add(`${topic}/${partition}`)
    }
    return this.#random.next() * this.plan.delayMs * slow
  }

  #loss(actor: Actor): Loss | undefined {
    if (!this.#faulty) return undefined
    if ((this.#awayUntil.get(actor) ?? 0) > this.scheduler.now) return 'request'
    if (this.#happens('lost-requests')) return this.#random.next() < 0.5 ? 'request' : 'response'
    return this.#happens('late-requests') ? 'late' : undefined
  }

  #logPowerLoss(): void {
    if (!this.broker.network.up) return
    const lost = this.broker.losePower()
    this.coverage.add('log changes lost with the power', lost)
    this.trace(`the log loses power, and ${lost} changes`)
    this.scheduler.schedule(this.#random.integer(1, 500), undefined, 'the log is up again', () =>
      this.broker.start(),
    )
  }

  #compact(): void {
    for (const topic of this.broker.topics.names()) {
      if (!topic.endsWith('-changelog')) continue
      this.coverage.add('records compacted away', this.broker.compact(topic))
    }
    this.trace('changelogs are compacted')
  }

  /** Everybody is away for days: tombstones expire, checkpoints become too old. */
  #absence(): void {
    this.scheduler.schedule(this.plan.loadMs, undefined, 'long absence', () => {
      for (const machine of this.machines) {
        if (machine.process !== undefined) this.#kill(machine, machine.process, true)
      }
      this.scheduler.advance(this.#random.integer(1, 9) * dayMs)
      this.#compact()
      this.scheduler.advance(this.#random.integer(1, 9) * dayMs)
      this.#compact()
      if (this.#happens('expired-offsets')) {
        this.offsetsExpired = true
        this.broker.offsets.forgetGroup(appId)
      }
      for (const machine of this.machines) this.#startLater(machine, this.#random.next() * restartMs)
    })
  }

  // ---------------------------------------------------------------------------------------------------- processes

  #startLater(machine: Machine, delayMs: number): void {
    this.scheduler.schedule(delayMs, undefined, `start ${machine.name}`, () => this.#start(machine))
  }

  #start(machine: Machine): void {
    if (machine.process !== undefined || machine.gone) return
    if (this.#happens('damaged-state')) machine.disk.damage(this.#random)
    if (this.#happens('lost-state')) machine.disk.wipeAll()
    const actor = new Actor(`${machine.name}/p${++this.#actors}`)
    const log = this.broker.connect(actor)
    const process: Process = { actor, log, streams: undefined, ended: false }
    machine.process = process
    this.#processes.set(actor, { process, machine })
    const { plan } = this
    const id = `${machine.name}-${this.#actors}`
    const starting = startStreams({
      topology: this.scenario.topology,
      log: this.#options.plantLog?.(this.#withFaults(log)) ?? this.#withFaults(log),
      appId,
      stateDir: '/state',
      storage: machine.disk.storage(this.scheduler, actor, (directory) => processIdOf(directory, id)),
      clock: this.scheduler.clock(actor, machine.skewMs),
      logger: this.#logger(actor.name),
      limits: { recordsMax: plan.recordsMax, bytesMax: plan.bytesMax },
      partitionBufferBytesMax: plan.bufferBytesMax,
      repartitionPurge: plan.repartitionPurge,
      ...copiesOf(this.#options.seed),
    })
    void this.#follow(machine, process, starting)
  }

  async #follow(machine: Machine, process: Process, starting: Promise<Streams>): Promise<void> {
    try {
      const streams = await starting
      process.streams = streams
      this.#ended(machine, process, await streams.failed)
    } catch (error) {
      this.#ended(machine, process, error)
    }
  }

  /** The process ended by itself: it is told to stop, and its successor started. */
  #ended(machine: Machine, process: Process, error: unknown): void {
    if (process.ended) return
    const code = isMillraceError(error) ? error.code : messageOf(error)
    this.coverage.add(`process ended: ${code}`)
    this.trace(`${process.actor.name} ended: ${messageOf(error)}`)
    this.#lastEnds = [...this.#lastEnds.slice(-2), messageOf(error)]
    if (!expectedEnds.has(code)) {
      const stack = error instanceof Error ? error.stack : ''
      this.surprises.push(`a process ended with ${code}: ${messageOf(error)}\n${stack}`)
    }
    this.#stop(machine, process)
  }

  #stop(machine: Machine, process: Process): void {
    process.ended = true
    const gone = (): void => {
      if (process.actor.alive) this.#kill(machine, process)
    }
    const { streams } = process
    if (streams === undefined || this.#random.next() < 0.3) return gone()
    streams.stop().then(gone, gone)
    this.scheduler.schedule(stopMs, undefined, 'patience ends', () => {
      if (process.actor.alive) this.coverage.add('a stop took too long')
      gone()
    })
  }

  #kill(machine: Machine, process: Process, stays = false): void {
    process.ended = true
    process.actor.alive = false
    this.#processes.delete(process.actor)
    if (machine.process === process) machine.process = undefined
    if (stays) return
    if (this.machines.filter(({ gone }) => !gone).length > 1 && this.#happens('machine-gone')) {
      this.trace(`${machine.name} is gone for good`)
      machine.gone = true
    }
    this.#startLater(machine, this.#random.next() * restartMs)
  }

  #logger(name: string): Logger {
    const note = (fields: object, message: string): void => {
      this.coverage.add(`log line: ${message}`)
      if (this.#options.trace === undefined) return
      const told = Object.entries(fields).map(
        ([key, value]) => `${key}=${value instanceof Error ? value.message : value}`,
      )
      this.trace(`${name} ${message} ${told.join(' ')}`)
    }
    const logger: Logger = { debug: note, info: note, warn: note, error: note, child: () => logger }
    return logger
  }

  #withFaults(log: SimulatedLog): Log {
    return withTransactors(log, async (id, options) =>
      this.#faultyTransactor(await log.transactor(id, options), log.actor),
    )
  }

  #faultyTransactor(transactor: SimulatedTransactor, actor: Actor): SimulationTransactor {
    const error = new Error('injected')
    return {
      endOffsets: () => transactor.endOffsets,
      transactionalId: transactor.transactionalId,
      abort: () => transactor.abort(),
      close: () => transactor.close(),
      prepare: async (request) => {
        const prepared = await transactor.prepare(request)
        if (prepared !== undefined) this.coverage.add(`prepare: ${prepared.kind}`)
        if (prepared === undefined && this.#happens('failed-prepares')) return { kind: 'aborted', error }
        return prepared
      },
      commit: async () => {
        // The worst moment for a process to stand still: everything is sent, and nothing decided.
        if (this.#happens('stalled-commits')) {
          actor.pausedUntil = this.scheduler.now + this.#random.integer(1_000, 9_000)
          this.trace(`${actor.name} stands still before a commit`)
          await this.scheduler.clock(actor).sleep(0)
        }
        if (this.#happens('failed-commits')) {
          await transactor.abort()
          return { kind: 'aborted', error }
        }
        if (this.#happens('fenced-commits')) return { kind: 'fenced', error }
        if (this.#happens('unknown-commits')) {
          const takesEffect = this.#random.next() < 0.5
          if (takesEffect) await transactor.commit()
          this.coverage.add(takesEffect ? 'unknown: took effect' : 'unknown: did not take effect')
          return { kind: 'unknown', error }
        }
        const outcome = await transactor.commit()
        this.coverage.add(`commit: ${outcome.kind}`)
        return outcome
      },
    }
  }

  // --------------------------------------------------------------------------------------------------------- load

  async #ask(appender: Appender): Promise<void> {
    const { key, value } = this.scenario.next()
    this.#unanswered++
    try {
      const place = await appender.append({ topic: this.scenario.input, key, value })
      this.coverage.add('append: acknowledged')
      this.scenario.acknowledged(value, place)
    } catch (error) {
      this.coverage.add(`append: ${isMillraceError(error) ? error.code : String(error)}`)
    } finally {
      this.#unanswered--
    }
  }
}

/**
 * What processes may end with and be started again: they have a successor, or the log did not answer for long. A
 * lost position is none of them.
 */
const expectedEnds = new Set([
  'PROCESSOR_FENCED',
  'PROCESSOR_STATE_IN_USE',
  'LOG_UNAVAILABLE',
  'LOG_UNSTABLE_OFFSETS',
  'LOG_FENCED',
])

/**
 * Whether changelogs are followed, and how soon states are thrown away. Not drawn from the plan's randomness, and off
 * for the failed seeds, which were found without: they stay the runs that they are.
 */
function copiesOf(seed: number): Partial<StreamsOptions> {
  const standbys = [1, 1, undefined, 2, 0, undefined, undefined][seed % 7]
  if (standbys === undefined) return {}
  return {
    standbys,
    warmUp: { acceptableLag: 5, tasksMax: 2 },
    stateCleanupDelayMs: seed % 2 === 0 ? 500 : 60_000,
  }
}

/** So that the process's own name is not random. */
function processIdOf(directory: string, id: string): ReadonlyMap<string, Buffer> {
  return new Map(directory.endsWith('/process') ? [['process-id', Buffer.from(id)]] : [])
}
