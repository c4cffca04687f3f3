/** The real program, started for a measurement and stopped after it. */
import { systemClock } from '#core'
import { HttpClient } from '../../cli/demo/http-client.ts'
import type { Answer } from '../../cli/demo/http-client.ts'
import { startProgram } from '../../cli/demo/program.ts'
import type { Program, ProgramEnvironment } from '../../cli/demo/program.ts'
import type { Context } from '../runner/bench.ts'
import { profileFlags } from '../runner/child.ts'

const quietSampleMs = 250
/** One may be of a moment in which others had the machine. */
const quietSamples = 3
const quietShareMax = 0.1
const quietTimeoutMs = 600_000

export class MeasuredProgram {
  readonly url: string
  readonly http: HttpClient
  readonly #program: Program

  private constructor(program: Program) {
    this.#program = program
    this.url = program.url
    this.http = new HttpClient(program.url, 4)
  }

  /** Resolves once it is ready. `environment` beside the program's defaults. */
  static async start(
    directory: string,
    { scope, profileDirectory }: Context,
    environment: ProgramEnvironment = {},
  ): Promise<MeasuredProgram> {
    const flags = profileDirectory === undefined ? [] : profileFlags(profileDirectory)
    const program = await startProgram(directory, systemClock, {
      environment: { NODE_OPTIONS: flags.join(' '), ...environment },
    })
    scope.defer(() => program.kill())
    return new MeasuredProgram(program)
  }

  async openCoupon(couponId: string, stock: number): Promise<void> {
    await this.#expect(201, 'POST', '/api/v1/coupons', { couponId, stock })
  }

  /** How many are issued, as everybody can read. */
  async issued(couponId: string): Promise<number> {
    const { body } = await this.#expect(200, 'GET', `/api/v1/coupons/${couponId}`)
    return (body as { readonly issued: number }).issued
  }

  /** The sum of a counter over all series whose labels contain `labels`, 0 when there is none. */
  async counter(name: string, labels = ''): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text()
    const series = [...text.matchAll(new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`, 'gm'))]
    return series
      .filter(([, given = '']) => given.includes(labels))
      .reduce((sum, [, , value]) => sum + Number(value), 0)
  }

  /** Resolves once it has nothing left to do: decided, followed and loaded. */
  async quiet(): Promise<void> {
    const deadline = systemClock.now() + quietTimeoutMs
    let before = await this.#cpuSeconds()
    for (let quiet = 0; quiet < quietSamples;) {
      await systemClock.sleep(quietSampleMs)
      const after = await this.#cpuSeconds()
      const share = ((after - before) * 1000) / quietSampleMs
      quiet = share < quietShareMax ? quiet + 1 : 0
      if (systemClock.now() > deadline) throw new Error('the program does not come to rest')
      before = after
    }
  }

  async stop(): Promise<void> {
    this.http.close()
    const code = await this.#program.stop()
    if (code !== 0) throw new Error(`the program ended with exit code ${code}`)
  }

  #cpuSeconds(): Promise<number> {
    return this.counter('process_cpu_seconds_total')
  }

  async #expect(status: number, method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await this.http.send(method, path, body)
    if (answer.status === status) return answer
    throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`)
  }
}
