import t from 'tap'
import { createLogger, maskText } from '../src/log.ts'

function capture(level = 'info') {
  const lines: string[] = []
  const log = createLogger({ level, destination: { write: (line) => lines.push(line) } })
  return { log, text: () => lines.join(''), records: () => lines.map((line) => JSON.parse(line)) }
}

t.test('addresses, credentials and query strings are masked in text', async (t) => {
  const cases: readonly (readonly [text: string, masked: string])[] = [
    ['no user jane.doe+x@mail.example.com here', 'no user [masked address] here'],
    ['userName eq "jürgen@exämple.de"', 'userName eq "[masked address]"'],
    ['jane%40example.com', '[masked address]'],
    ['Authorization: Bearer abc.def-123', 'Authorization: Bearer [masked]'],
    ['basic dXNlcjpwYXNz, more', 'basic [masked], more'],
    ['token scim_live_0123456789abcdef_ABCDEFGH', 'token [masked token]'],
    ['eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln', '[masked token]'],
    ['GET /scim/v2/Users?filter=userName%20eq%20%22a%22 failed', 'GET /scim/v2/Users?[masked] failed'],
    ['what? nothing to hide @ all', 'what? nothing to hide @ all'],
  ]
  for (const [text, masked] of cases) t.equal(maskText(text), masked)
})

t.test('a request is logged by its route, or by its path without the query', async (t) => {
  const { log, records } = capture()
  const request = {
    id: 'r1',
    method: 'GET',
    url: '/scim/v2/Users/7?filter=x',
    headers: { authorization: 'Bearer x' },
  }
  log.info({ req: { ...request, routeOptions: { url: '/scim/v2/Users/:id' } } })
  log.info({ req: { ...request, url: '/nowhere/jane@example.com?a=b' } })
  t.strictSame(
    records().map(({ req }) => req),
    [
      { id: 'r1', method: 'GET', route: '/scim/v2/Users/:id' },
      { id: 'r1', method: 'GET', path: '/nowhere/[masked address]' },
    ],
  )
})

t.test('an error is logged with its causes and without what it quotes', async (t) => {
  const { log, records, text } = capture()
  const cause = Object.assign(new Error('Key (jane@example.com) exists'), {
    code: '23505',
    detail: 'Key (user_name)=(Jane Doe) already exists.',
  })
  const error = new TypeError('cannot add jane@example.com', { cause })
  log.error(error)
  log.error({ err: error })
  log.error({ err: error }, 'adding jane@example.com failed')

  const [first, second, third] = records()
  t.match(first, {
    msg: 'cannot add [masked address]',
    err: { type: 'TypeError', message: 'cannot add [masked address]' },
  })
  t.match(first.err.cause, { type: 'Error', code: '23505', message: 'Key ([masked address]) exists' })
  t.match(first.err.stack, /log\.test\.ts/)
  t.equal(second.msg, 'cannot add [masked address]')
  t.equal(third.msg, 'adding [masked address] failed')
  t.notMatch(text(), /jane|Jane Doe/)
})

t.test('credentials in logged objects are blanked', async (t) => {
  const { log, text } = capture()
  log.info({ headers: { authorization: 'Bearer s3cret' }, authorization: 's3cret' })
  log.info({
    client: { secret: 's3cret' },
    request: { headers: { authorization: 's3cret' } },
    token: 's3cret',
  })
  t.match(text(), /\[masked\]/)
  t.notMatch(text(), /s3cret/)
})

t.test('a line is one JSON object at its level and above', async (t) => {
  const { log, records } = capture('warn')
  log.info('no')
  log.warn({ userId: '7' }, 'two\nlines')
  t.match(records(), [{ level: 40, userId: '7', msg: 'two\nlines', time: /^\d{4}-.*Z$/ }])
  t.equal(records().length, 1)
})
