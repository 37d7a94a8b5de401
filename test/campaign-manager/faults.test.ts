import t from 'tap'
import type { FaultRule } from '../../src/sandbox/faults.ts'
import { clientOf, input, withSandbox } from './setup.ts'

type Case = {
  rule: FaultRule
  expected: { code: string; status?: number; message?: RegExp; retryAfterMs?: number | undefined }
  writeMayHaveApplied: boolean
  applied: boolean
  timeoutMs?: number
}

const cases: Case[] = [
  {
    rule: { kind: 'unauthorized' },
    expected: { code: 'unauthorized', status: 401 },
    writeMayHaveApplied: false,
    applied: false,
  },
  {
    rule: { kind: 'error', status: 403 },
    expected: { code: 'forbidden', status: 403 },
    writeMayHaveApplied: false,
    applied: false,
  },
  {
    rule: { kind: 'rate_limited', retryAfter: 12 },
    expected: { code: 'rate_limited', status: 429, retryAfterMs: 12_000 },
    writeMayHaveApplied: false,
    applied: false,
  },
  {
    rule: { kind: 'rate_limited', retryAfter: 'Sun, 01 Nov 2026 08:00:30 GMT' },
    expected: { code: 'rate_limited', status: 429, retryAfterMs: 30_000 },
    writeMayHaveApplied: false,
    applied: false,
  },
  {
    rule: { kind: 'error' },
    expected: { code: 'internal', status: 500, retryAfterMs: undefined },
    writeMayHaveApplied: true,
    applied: false,
  },
  {
    rule: { kind: 'error', status: 503, retryAfter: 5 },
    expected: { code: 'unavailable', status: 503, retryAfterMs: 5_000 },
    writeMayHaveApplied: true,
    applied: false,
  },
  {
    rule: { kind: 'error', status: 504 },
    expected: { code: 'malformed', status: 504, message: /a status that is not expected/ },
    writeMayHaveApplied: true,
    applied: false,
  },
  {
    rule: { kind: 'html' },
    expected: { code: 'malformed', message: /text\/html|a status that is not expected/ },
    writeMayHaveApplied: true,
    applied: false,
  },
  {
    rule: { kind: 'html', status: 404 },
    expected: { code: 'malformed', status: 404, message: /not JSON but text\/html/ },
    writeMayHaveApplied: true,
    applied: false,
  },
  {
    rule: { kind: 'truncated' },
    expected: { code: 'malformed', message: /not whole, valid JSON/ },
    writeMayHaveApplied: true,
    applied: true,
  },
  {
    rule: { kind: 'cut_off' },
    expected: { code: 'network', message: /the connection broke \(UND_ERR_SOCKET\)/ },
    writeMayHaveApplied: true,
    applied: true,
  },
  {
    rule: { kind: 'reset' },
    expected: { code: 'network', message: /the connection broke \(ECONNRESET\)/ },
    writeMayHaveApplied: true,
    applied: false,
  },
  {
    rule: { kind: 'timeout' },
    expected: { code: 'timeout', message: /within the time limit/ },
    writeMayHaveApplied: true,
    applied: false,
    timeoutMs: 300,
  },
  {
    rule: { kind: 'applied_then_timeout' },
    expected: { code: 'timeout', message: /within the time limit/ },
    writeMayHaveApplied: true,
    applied: true,
    timeoutMs: 500,
  },
]

for (const { rule, expected, writeMayHaveApplied, applied, timeoutMs } of cases) {
  t.test(JSON.stringify(rule), async (t) => {
    const { client, state, observed, baseUrl } = await withSandbox(
      t,
      timeoutMs === undefined ? {} : { timeoutMs },
    )
    state.faults.set(rule)
    const { promise: hasApplied, resolve } = Promise.withResolvers<void>()
    state.onApplied = async () => resolve()
    await t.rejects(client.createAccount(input, 'key'), { ...expected, mayHaveApplied: writeMayHaveApplied })
    if (applied) await hasApplied
    t.equal(state.users().length, applied ? 1 : 0)
    await t.rejects(client.listRoles(), { ...expected, mayHaveApplied: false }, 'a read applies nothing')
    await t.rejects(
      client.getAccount('1'),
      { ...expected, mayHaveApplied: false },
      'no fault means "no account"',
    )
    await t.rejects(client.findAccountByEmail(input.email), { ...expected, mayHaveApplied: false })
    t.equal(state.requests.length, 4, 'nothing is sent twice')
    t.equal(new Set(observed.map(([, outcome]) => outcome)).size, 1)

    state.faults.clear()
    const { client: patient } = clientOf(t, baseUrl)
    const again = await patient.createAccount(input, 'key')
    t.strictSame(again.account, { id: state.userByEmail(input.email)?.id, ...input })
    t.equal(state.users().length, 1, 'the same key makes no second account')
  })
}

t.test('with nobody there a write cannot have applied', async (t) => {
  const { sandbox, baseUrl } = await withSandbox(t)
  await sandbox.close()
  const { client } = clientOf(t, baseUrl)
  await t.rejects(client.createAccount(input, 'key'), {
    code: 'network',
    message: /no connection \(ECONNREFUSED\)/,
    mayHaveApplied: false,
  })
  const { client: nowhere } = clientOf(t, 'http://campaign-manager.invalid/api')
  await t.rejects(nowhere.deleteAccount('1', undefined), { code: 'network', mayHaveApplied: false })
})
