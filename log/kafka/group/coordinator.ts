import { brokerError, isCoordinatorMoved, isRetriable } from '../broker-errors.ts'
import type { BrokerAddress } from '../broker-connection.ts'
import type { Cluster } from '../cluster.ts'
import type { Connections } from '../connections.ts'
import { NoAnswer } from '../no-answer.ts'
import type { Api } from '../protocol/wire.ts'

/** The broker that keeps a group, wherever it is now. */
export class GroupCoordinator {
  readonly #cluster: Cluster
  readonly #group: string
  readonly #waitMs: number
  readonly #control: Connections
  /** For requests that the coordinator answers when others have done their part. */
  #waiting: Connections

  /** @param waitMs how long such a request may take beyond the usual */
  constructor(cluster: Cluster, group: string, waitMs: number) {
    this.#cluster = cluster
    this.#group = group
    this.#waitMs = waitMs
    this.#control = cluster.connections()
    this.#waiting = cluster.connections(waitMs)
  }

  /** Errors: NoAnswer while there is none; LOG_UNAUTHORIZED. */
  address(): Promise<BrokerAddress> {
    return this.#cluster.coordinator('group', this.#group)
  }

  forget(): void {
    this.#cluster.forgetCoordinator('group', this.#group)
  }

  /** Errors: NoAnswer, also for answers that say to try again. */
  ask<Request, Answer extends { readonly code: number }>(
    api: Api<Request, Answer>,
    request: Request,
  ): Promise<Answer> {
    return this.#ask(this.#control, api, request)
  }

  /** As `ask`, for what may be answered late. */
  await<Request, Answer extends { readonly code: number }>(
    api: Api<Request, Answer>,
    request: Request,
  ): Promise<Answer> {
    return this.#ask(this.#waiting, api, request)
  }

  /** Gives up what is being waited for: it fails with NoAnswer. */
  async cut(): Promise<void> {
    const before = this.#waiting
    this.#waiting = this.#cluster.connections(this.#waitMs)
    await before.close()
  }

  async close(): Promise<void> {
    await Promise.all([this.#control.close(), this.#waiting.close()])
  }

  async #ask<Request, Answer extends { readonly code: number }>(
    connections: Connections,
    api: Api<Request, Answer>,
    request: Request,
  ): Promise<Answer> {
    try {
      const connection = await connections.to(await this.address())
      const answer = await connection.request(api, request)
      if (!isCoordinatorMoved(answer.code) && !isRetriable(answer.code)) return answer
      throw new NoAnswer(brokerError(answer.code, `group ${this.#group}`).message, true)
    } catch (error) {
      if (error instanceof NoAnswer) this.forget()
      throw error
    }
  }
}
