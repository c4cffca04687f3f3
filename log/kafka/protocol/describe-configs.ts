import type { Api } from './wire.ts'

const topicResource = 2

interface TopicConfigs {
  readonly topic: string
  readonly code: number
  readonly message: string | null
  readonly configs: ReadonlyMap<string, string>
}

/** The named configurations of topics, defaults included. */
export const describeConfigs: Api<
  { readonly topics: readonly string[]; readonly names: readonly string[] },
  readonly TopicConfigs[]
> = {
  key: 32,
  version: 4,
  name: 'DescribeConfigs',
  encode(out, { topics, names }) {
    out.array(topics, (topic) => {
      out.i8(topicResource)
      out.string(topic)
      out.primitives(names, (name) => out.string(name))
    })
    out.bool(false)
    out.bool(false)
    out.tags()
  },
  decode(from) {
    from.i32()
    const described = from.array(() => {
      const code = from.i16()
      const message = from.nullableString()
      from.i8()
      const topic = from.string()
      const configs = new Map<string, string>()
      from.array(() => {
        configs.set(from.string(), from.nullableString() ?? '')
        from.bool()
        from.i8()
        from.bool()
        from.array(() => {
          from.string()
          from.nullableString()
          from.i8()
        })
        from.i8()
        from.nullableString()
      })
      return { topic, code, message, configs }
    })
    from.tags()
    return described
  },
}
