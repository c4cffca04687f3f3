import type { Api } from './wire.ts'

export interface TopicToCreate {
  readonly name: string
  readonly partitions: number
  readonly replicationFactor: number
  readonly configs: ReadonlyMap<string, string>
}

export interface TopicResult {
  readonly name: string
  readonly code: number
  readonly message: string | null
}

export const createTopics: Api<
  { readonly topics: readonly TopicToCreate[]; readonly timeoutMs: number },
  readonly TopicResult[]
> = {
  key: 19,
  version: 7,
  name: 'CreateTopics',
  encode(out, { topics, timeoutMs }) {
    out.array(topics, ({ name, partitions, replicationFactor, configs }) => {
      out.string(name)
      out.i32(partitions)
      out.i16(replicationFactor)
      out.array([], () => undefined)
      out.array([...configs], ([key, value]) => {
        out.string(key)
        out.string(value)
      })
    })
    out.i32(timeoutMs)
    out.bool(false)
    out.tags()
  },
  decode(from) {
    from.i32()
    const results = from.array(() => {
      const name = from.string()
      from.uuid()
      const result = { name, code: from.i16(), message: from.nullableString() }
      from.i32()
      from.i16()
      from.array(() => {
        from.string()
        from.nullableString()
        from.bool()
        from.i8()
        from.bool()
      })
      return result
    })
    from.tags()
    return results
  },
}

export const deleteTopics: Api<
  { readonly names: readonly string[]; readonly timeoutMs: number },
  readonly TopicResult[]
> = {
  key: 20,
  version: 6,
  name: 'DeleteTopics',
  encode(out, { names, timeoutMs }) {
    out.array(names, (name) => {
      out.string(name)
      out.zeroUuid()
    })
    out.i32(timeoutMs)
    out.tags()
  },
  decode(from) {
    from.i32()
    const results = from.array(() => {
      const name = from.string()
      from.uuid()
      return { name, code: from.i16(), message: from.nullableString() }
    })
    from.tags()
    return results
  },
}
