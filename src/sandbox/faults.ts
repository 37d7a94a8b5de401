import { type Static, Type } from '@sinclair/typebox'

const literals = <const T extends string[]>(...values: T) =>
  Type.Union(values.map((value) => Type.Literal(value)))

/**
 * latency               waits `latencyMs`, then goes on (to a further rule too)
 * rate_limited          429, with `retryAfter`
 * error                 `status` (500 unless told), not applied
 * unauthorized          401, not applied
 * html                  a proxy's page with `status` (200 unless told), not applied
 * reset                 the connection is reset, not applied
 * timeout               no answer until the sandbox closes, not applied
 * applied_then_timeout  applied, no answer until the sandbox closes
 * truncated             applied, a whole HTTP answer with half of the JSON
 * cut_off               applied, the connection ends in the middle of the answer
 */
export type FaultKind =
  | 'latency'
  | 'rate_limited'
  | 'error'
  | 'unauthorized'
  | 'html'
  | 'reset'
  | 'timeout'
  | 'applied_then_timeout'
  | 'truncated'
  | 'cut_off'

export const FaultRule = Type.Object(
  {
    kind: Type.Unsafe<FaultKind>(
      literals(
        'latency',
        'rate_limited',
        'error',
        'unauthorized',
        'html',
        'reset',
        'timeout',
        'applied_then_timeout',
        'truncated',
        'cut_off',
      ),
    ),
    method: Type.Optional(
      Type.Unsafe<'GET' | 'POST' | 'PUT' | 'DELETE'>(literals('GET', 'POST', 'PUT', 'DELETE')),
    ),
    route: Type.Optional(Type.Unsafe<'roles' | 'users' | 'user'>(literals('roles', 'users', 'user'))),
    emailOrId: Type.Optional(Type.String()),
    times: Type.Optional(Type.Integer({ minimum: 1 })),
    probability: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    seed: Type.Optional(Type.Integer()),
    latencyMs: Type.Optional(Type.Number({ minimum: 0 })),
    status: Type.Optional(Type.Integer({ minimum: 200, maximum: 599 })),
    retryAfter: Type.Optional(Type.Union([Type.Integer({ minimum: 0 }), Type.String()])),
  },
  { additionalProperties: false },
)
export type FaultRule = Static<typeof FaultRule>

/** What a rule is compared with; `names` are the account's id and e-mail addresses, as far as the request tells. */
export type FaultTarget = { method: string; route: string; names: readonly string[] }

export type Fault = { latencyMs: number; rule: FaultRule | undefined }

type Armed = { rule: FaultRule; left: number; random: () => number }

export type Faults = {
  /** Replaces whatever was set. The first rule that matches a request wins. */
  set(...rules: readonly FaultRule[]): void
  clear(): void
  /** The rules still in force, with what is left of `times`. */
  rules(): FaultRule[]
  /** Spends one of a matching rule's `times`. */
  pick(target: FaultTarget): Fault
}

export function createFaults(): Faults {
  let armed: Armed[] = []
  return {
    set: (...rules) => {
      armed = rules.map((rule) => ({
        rule: Object.freeze({ ...rule }),
        left: rule.times ?? Number.POSITIVE_INFINITY,
        random: seeded(rule.seed ?? 1),
      }))
    },
    clear: () => {
      armed = []
    },
    rules: () =>
      armed
        .filter(({ left }) => left > 0)
        .map(({ rule, left }) => (Number.isFinite(left) ? { ...rule, times: left } : rule)),
    pick: (target) => pick(armed, target),
  }
}

function pick(armed: readonly Armed[], target: FaultTarget): Fault {
  let latencyMs = 0
  for (const candidate of armed) {
    const { rule } = candidate
    if (candidate.left <= 0 || !matches(rule, target)) continue
    if (rule.probability !== undefined && candidate.random() >= rule.probability) continue
    candidate.left -= 1
    latencyMs += rule.latencyMs ?? 0
    if (rule.kind !== 'latency') return { latencyMs, rule }
  }
  return { latencyMs, rule: undefined }
}

function matches(rule: FaultRule, target: FaultTarget): boolean {
  if (rule.method !== undefined && rule.method !== target.method) return false
  if (rule.route !== undefined && rule.route !== target.route) return false
  if (rule.emailOrId === undefined) return true
  const wanted = rule.emailOrId.toLowerCase()
  return target.names.some((name) => name.toLowerCase() === wanted)
}

/** mulberry32: the same seed gives the same faults. */
function seeded(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
