import { type FaultKind, type FaultRule, METHODS } from '../../src/sandbox/faults.ts'
import type { Random } from './figures.ts'

/** The faults of a Campaign Manager and of what lies before it; the weights make the frequent ones frequent. */
const FAULTS: readonly (readonly [weight: number, rule: FaultRule])[] = [
  [2, { kind: 'rate_limited', retryAfter: 1 }],
  [1, { kind: 'rate_limited', retryAfter: 1, retryAfterAs: 'date' }],
  [3, { kind: 'error', status: 500 }],
  [2, { kind: 'error', status: 503 }],
  [1, { kind: 'error', status: 503, retryAfter: 1 }],
  [1, { kind: 'error', status: 502 }],
  [1, { kind: 'html', status: 502 }],
  [1, { kind: 'html', status: 504 }],
  [2, { kind: 'html' }],
  [0.5, { kind: 'unauthorized' }],
  [0.5, { kind: 'error', status: 403 }],
  // A replica that lost sight of an account; whoever writes to the account meets it again.
  [2, { kind: 'not_found', method: 'GET', route: 'user' }],
  [1, { kind: 'refused' }],
  [2, { kind: 'reset' }],
  [2, { kind: 'reset_after_headers' }],
  [2, { kind: 'truncated' }],
  [2, { kind: 'cut_off' }],
  [1, { kind: 'timeout' }],
  [2, { kind: 'applied_then_timeout' }],
  [1, { kind: 'slow_drip' }],
  [6, { kind: 'repeated' }],
  [8, { kind: 'partial', status: 500 }],
  [4, { kind: 'partial', status: 200 }],
  [8, { kind: 'stale' }],
]

/** CHAOS_WITHOUT=stale,partial leaves some out. */
const LEFT_OUT = (process.env.CHAOS_WITHOUT ?? '').split(',')

/** Rules of which one befalls about that share of the calls of each method. */
export function soakFaults(random: Random, share: number, without: readonly FaultKind[] = []): FaultRule[] {
  const isLeftOut = ({ kind }: FaultRule) => without.includes(kind) || LEFT_OUT.includes(kind)
  return (['GET', 'POST', 'PUT', 'DELETE'] as const).flatMap((method) => {
    const chosen = FAULTS.filter(
      ([, rule]) => !isLeftOut(rule) && METHODS[rule.kind]?.includes(method) !== false && fits(rule, method),
    )
    const weights = chosen.reduce((sum, [weight]) => sum + weight, 0)
    // Each is asked only about the calls that those before it let pass.
    let passed = 1
    return chosen.map(([weight, rule]) => {
      const probability = (share * weight) / weights / passed
      passed -= (share * weight) / weights
      return { ...rule, method, probability, seed: random(2 ** 31) }
    })
  })
}

const fits = (rule: FaultRule, method: string) => rule.method === undefined || rule.method === method
