import { type Static, Type } from '@sinclair/typebox'

/** Not a union of literals: a value that is none of these would be refused once for each, and none named. */
const oneOf = <const T extends string>(...values: readonly T[]) =>
  Type.Unsafe<T>({ type: 'string', enum: values })

/**
 * latency               waits `latencyMs`, then goes on (to a further rule too)
 * rate_limited          429, with `retryAfter`
 * error                 `status` (500 unless told), not applied
 * unauthorized          401, not applied
 * not_found             404 in the contract's form, not applied
 * html                  a proxy's page with `status` (200 unless told), not applied
 * refused               the connection is reset, not applied, and new ones are refused for `durationMs` (100 unless told)
 * reset                 the connection is reset, not applied
 * timeout               no answer until the sandbox closes, not applied
 * applied_then_timeout  applied, no answer until the sandbox closes
 * truncated             applied, a whole HTTP answer with half of the JSON
 * cut_off               applied, the connection ends in the middle of the answer
 * reset_after_headers   applied, the connection is reset after the answer's headers
 * slow_drip             applied, and answered byte by byte in `durationMs` (30 000 unless told)
 * repeated              a gateway sends a write twice and passes on the second answer
 * partial               of a write's changes of roles, half are made, but a new account has one at least; `status` 500, or
 *                       200: success, with what then holds
 * stale                 a read by a replica that may lack a change of the last `durationMs` (1000 unless told)
 */
const KINDS = [
  'latency',
  'rate_limited',
  'error',
  'unauthorized',
  'not_found',
  'html',
  'refused',
  'reset',
  'timeout',
  'applied_then_timeout',
  'truncated',
  'cut_off',
  'reset_after_headers',
  'slow_drip',
  'repeated',
  'partial',
  'stale',
] as const
export type FaultKind = (typeof KINDS)[number]

/** The others befall any request. */
export const METHODS: Partial<Record<FaultKind, readonly string[]>> = {
  repeated: ['POST', 'PUT', 'DELETE'],
  partial: ['POST', 'PUT'],
  stale: ['GET'],
}

export const FaultRule = Type.Object(
  {
    kind: oneOf(...KINDS),
    method: Type.Optional(oneOf('GET', 'POST', 'PUT', 'DELETE')),
    route: Type.Optional(oneOf('roles', 'users', 'user')),
    emailOrId: Type.Optional(Type.String()),
    times: Type.Optional(Type.Integer({ minimum: 1 })),
    probability: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    seed: Type.Optional(Type.Integer()),
    latencyMs: Type.Optional(Type.Number({ minimum: 0 })),
    durationMs: Type.Optional(Type.Number({ minimum: 0 })),
    status: Type.Optional(Type.Integer({ minimum: 200, maximum: 599 })),
    retryAfter: Type.Optional(Type.Union([Type.Integer({ minimum: 0 }), Type.String()])),
    /** RFC 9110 §10.2.3 knows two forms; a number of seconds can be told as the date that it leads to. */
    retryAfterAs: Type.Optional(oneOf('seconds', 'date')),
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
  if (METHODS[rule.kind]?.includes(target.method) === false) return false
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
