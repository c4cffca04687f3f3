/** The HTTP application: routes, and a problem for everything else. */
import { Hono } from 'hono'
import type { Logger } from '#core'
import { messageOf } from '#core'
import { ClientGone } from './http/body.ts'
import { problem, problemOf } from './http/problem.ts'
import type { RequestMetrics } from './request-metrics.ts'
import type { Handler, Route } from './routes/route.ts'

export function createApp(routes: readonly Route[], metrics: RequestMetrics, logger: Logger): Hono {
  const app = new Hono()
  const answerTo = (error: unknown): Response => answerToError(error, logger)
  // Apart from the methods' own handlers: Hono composes a chain for every request that two handlers match.
  const otherMethods = new Hono()
  for (const [path, methods] of byPath(routes)) {
    for (const [method, handler] of methods) {
      app.on(method, path, metrics.measured(`${method} ${path}`, handler, answerTo))
    }
    const allow = allowed([...methods.keys()])
    otherMethods.all(path, (context) => {
      metrics.count(path, 405)
      return problem('method-not-allowed', {
        detail: `${context.req.method} is not among ${allow}.`,
        headers: { allow },
      })
    })
  }
  app.notFound((context) => otherMethods.fetch(context.req.raw))
  otherMethods.notFound(() => {
    metrics.count('none', 404)
    return problem('not-found', { detail: 'There is nothing here. GET / names what there is.' })
  })
  app.onError((error) => unexpected(error, logger))
  return app
}

/** Several resources may share a path: the winners and the claims of a coupon do. */
function byPath(routes: readonly Route[]): Map<string, Map<string, Handler>> {
  const paths = new Map<string, Map<string, Handler>>()
  for (const { path, methods } of routes) {
    const merged = paths.get(path) ?? new Map<string, Handler>()
    for (const [method, handler] of Object.entries(methods)) merged.set(method, handler)
    paths.set(path, merged)
  }
  return paths
}

function allowed(methods: readonly string[]): string {
  return methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ')
}

function answerToError(error: unknown, logger: Logger): Response {
  if (error instanceof ClientGone) return nobodyThere(error, logger)
  return problemOf(error)?.response() ?? unexpected(error, logger)
}

/** Sent to nobody; the status, which others use for this as well, is for the counts. */
function nobodyThere(error: ClientGone, logger: Logger): Response {
  logger.debug({ error: messageOf(error.cause) }, error.message)
  return new Response(null, { status: 499 })
}

/** What nobody foresaw: told to the log in full, to the client not at all. */
function unexpected(error: unknown, logger: Logger): Response {
  logger.error({ err: error, error: messageOf(error) }, 'A request failed unexpectedly.')
  return problem('internal', { detail: 'Something went wrong here; it is in our logs. Try again later.' })
}
