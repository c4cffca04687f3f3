import type { Api } from './wire.ts'

const coordinatorType = { group: 0, transaction: 1 } as const
export type CoordinatorType = keyof typeof coordinatorType

interface FindCoordinatorAnswer {
  readonly code: number
  readonly node: number
  readonly host: string
  readonly port: number
}

/** One key at a time; undefined when the answer names none. */
export const findCoordinator: Api<
  { readonly type: CoordinatorType; readonly key: string },
  FindCoordinatorAnswer | undefined
> = {
  key: 10,
  version: 4,
  name: 'FindCoordinator',
  encode(out, { type, key }) {
    out.i8(coordinatorType[type])
    out.primitives([key], (one) => out.string(one))
    out.tags()
  },
  decode(from) {
    from.i32()
    const found = from.array(() => {
      from.string()
      const place = { node: from.i32(), host: from.string(), port: from.i32() }
      const code = from.i16()
      from.nullableString()
      return { ...place, code }
    })
    from.tags()
    return found[0]
  },
}
