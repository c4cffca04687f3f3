import { describe, expect, it } from 'vitest'
import { gateAnswer, stateOf } from './gate.ts'
import { snapshot } from './test-coupons.ts'

describe('stateOf', () => {
  it('tells the first that holds of closed, ended, paused, scheduled, sold-out, open', () => {
    const all = { closed: true, paused: true, startsAt: 2000, endsAt: 500, remaining: 0 }
    expect(stateOf(snapshot(all), 1000)).toBe('closed')
    expect(stateOf(snapshot({ ...all, closed: false }), 1000)).toBe('ended')
    expect(stateOf(snapshot({ ...all, closed: false, endsAt: null }), 1000)).toBe('paused')
    expect(stateOf(snapshot({ startsAt: 2000, remaining: 0 }), 1000)).toBe('scheduled')
    expect(stateOf(snapshot({ remaining: 0 }), 1000)).toBe('sold-out')
    expect(stateOf(snapshot(), 1000)).toBe('open')
  })

  it('starts inclusively and ends exclusively', () => {
    const coupon = snapshot({ startsAt: 1000, endsAt: 2000 })
    expect([999, 1000, 1999, 2000].map((now) => stateOf(coupon, now))).toEqual([
      'scheduled',
      'open',
      'open',
      'ended',
    ])
  })
})

describe('gateAnswer', () => {
  it('refuses by time only from 2 s beyond the limit', () => {
    const coupon = snapshot({ startsAt: 10_000, endsAt: 20_000 })
    expect(gateAnswer(coupon, 8000)).toEqual({ open: false, code: 'not-started', startsAt: 10_000 })
    expect(gateAnswer(coupon, 8001)).toEqual({ open: true })
    expect(gateAnswer(coupon, 21_999)).toEqual({ open: true })
    expect(gateAnswer(coupon, 22_000)).toEqual({ open: false, code: 'ended' })
    expect(gateAnswer(coupon, 20_000, 0)).toEqual({ open: false, code: 'ended' })
  })

  it('refuses what does not depend on time at once, in the order of the rules', () => {
    expect(gateAnswer(snapshot({ closed: true, paused: true }), 0)).toEqual({ open: false, code: 'closed' })
    expect(gateAnswer(snapshot({ paused: true, remaining: 0 }), 0)).toEqual({ open: false, code: 'paused' })
    expect(gateAnswer(snapshot({ remaining: 0 }), 0)).toEqual({ open: false, code: 'sold-out' })
  })
})
