import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decideKeep } from '../../../lib/tasks/decide-keep.ts'
import { KILL_UNIT_MS, TTL_S, timingOf } from '../../../lib/tasks/decide-timing.ts'

const ttl = fc.integer({ min: TTL_S.least, max: TTL_S.most })

test('the default: T 2, W 6, K 2 and L 15 seconds, asked every 2 s', () =>
  assert.deepEqual(timingOf(TTL_S.default), {
    ttlMs: 15_000,
    requestMs: 2000,
    watchdogMs: 6000,
    killMs: 2000,
    everyMs: 2000,
    sessionS: 10,
  }))

test('whatever the ttl is, L is seconds longer than T + W + K, and Consul takes both times', () =>
  fc.assert(
    fc.property(ttl, (seconds) => {
      const { ttlMs, requestMs, watchdogMs, killMs, everyMs, sessionS } = timingOf(seconds)
      assert.ok(ttlMs >= requestMs + watchdogMs + killMs + 3000)
      assert.ok(ttlMs >= requestMs + watchdogMs + KILL_UNIT_MS + 1000, 'also where a unit is killed')
      assert.ok(ttlMs <= 60_000, 'the longest lock-delay of Consul')
      assert.ok(sessionS >= 10 && sessionS <= 86_400, 'the times to live that Consul takes')
      assert.ok(
        everyMs + 2 * requestMs <= watchdogMs,
        'a question that is not answered is asked again in time',
      )
      assert.ok(everyMs * 3 <= sessionS * 1000, 'the session is renewed in time')
    }),
  ))

/**
 * A run asks, is held up for any time anywhere, and systemd kills it where no ping has come for W. Whatever the times are, nothing of
 * it runs when L has passed since the session was lost, which is after every question that was answered with yes.
 */
test('nothing of a run is left when another one may start', () =>
  fc.assert(
    fc.property(
      ttl,
      fc.array(fc.record({ pauseMs: fc.nat(90_000), answerMs: fc.nat(90_000) }), { maxLength: 20 }),
      fc.nat(200_000),
      (seconds, steps, lostMs) => {
        const timing = timingOf(seconds)
        let nowMs = 0
        let confirmedMs = 0
        let lastYesMs = 0
        let killedMs = timing.watchdogMs
        for (const { pauseMs, answerMs } of steps) {
          const askedMs = nowMs + pauseMs
          nowMs = askedMs + answerMs
          if (nowMs >= killedMs) break
          const ours = askedMs < lostMs
          const plan = decideKeep({ ours, askedMs, answeredMs: nowMs, confirmedMs, timing })
          if (ours) lastYesMs = askedMs
          if (plan === 'lose') killedMs = nowMs
          if (plan !== 'confirm') continue
          confirmedMs = askedMs
          killedMs = nowMs + timing.watchdogMs
        }
        assert.ok(lastYesMs < Math.max(lostMs, 1))
        assert.ok(killedMs + timing.killMs < Math.max(lostMs, 0) + timing.ttlMs || lostMs > killedMs)
      },
    ),
  ))
