import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { KnownTexts } from './known-texts.ts'

const read = (texts: KnownTexts, text: string): string => {
  const bytes = Buffer.from(`<${text}>`)
  return texts.read(bytes, 1, bytes.length - 1)
}

it('reads every text as UTF-8 has it, in any order', () => {
  const word = fc.string({ unit: 'grapheme', maxLength: 70 })
  const similar = fc.constantFrom('aaa', 'baa', 'aab', 'aéa', 'aÃ©a', 'ÿÿÿ', 'aaaa')
  fc.assert(
    fc.property(fc.array(fc.oneof(word, similar), { maxLength: 50 }), (words) => {
      const texts = new KnownTexts()
      expect([...words, ...words].map((each) => read(texts, each))).toEqual([...words, ...words])
    }),
  )
})
