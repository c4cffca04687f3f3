import { clientName } from '../client-name.ts'
import type { Api } from './wire.ts'

interface ApiVersionsAnswer {
  readonly code: number
  /** By api key, inclusive. */
  readonly versions: ReadonlyMap<number, { readonly min: number; readonly max: number }>
  /** Features that the cluster has switched on, with their levels. */
  readonly features: ReadonlyMap<string, number>
}

const finalizedFeaturesTag = 2

export const apiVersions: Api<undefined, ApiVersionsAnswer> = {
  key: 18,
  version: 3,
  name: 'ApiVersions',
  plainAnswerHeader: true,
  encode(out) {
    out.string(clientName)
    out.string('1')
    out.tags()
  },
  decode(from) {
    const code = from.i16()
    // A broker that does not know version 3 answers in version 0, whose array cannot be read this way.
    if (code !== 0) return { code, versions: new Map(), features: new Map() }
    const versions = new Map(from.array(() => [from.i16(), { min: from.i16(), max: from.i16() }] as const))
    from.i32()
    const features = new Map<string, number>()
    for (let left = from.uvarint(); left > 0; left--) {
      const tag = from.uvarint()
      const size = from.uvarint()
      if (tag === finalizedFeaturesTag) {
        for (const { name, level } of from.array(() => {
          const feature = from.string()
          const max = from.i16()
          from.i16()
          return { name: feature, level: max }
        })) {
          features.set(name, level)
        }
      } else from.view(size)
    }
    return { code, versions, features }
  },
}
