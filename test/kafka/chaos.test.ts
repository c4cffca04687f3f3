/** The short form; `npm run chaos` has the long one. */
import { it } from 'vitest'
import { chaos } from '../chaos/chaos.ts'
import { options } from '../chaos/options.ts'

const { ms, seed } = options

it(`chaos for ${ms / 1000} s (SEED=${seed})`, { timeout: 2 * ms + 600_000 }, () => chaos(options))
