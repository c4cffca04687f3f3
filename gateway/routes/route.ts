import type { Context } from 'hono'

export type Handler = (context: Context) => Response | Promise<Response>

/** One resource's calls: for each path its methods. What a path does not take is 405 with Allow. */
export interface Route {
  readonly path: string
  readonly methods: Readonly<Partial<Record<'GET' | 'POST' | 'DELETE', Handler>>>
}

export function json(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json', ...headers },
  })
}
