import { randomBytes } from 'node:crypto'
import t from 'tap'
import { createCursors } from '../../src/http/cursors.ts'
import { CURSOR_TIMEOUT_SECONDS } from '../../src/scim/page.ts'

const key = randomBytes(32)
let now = new Date('2026-01-01T00:00:00Z')
const cursors = createCursors<{ after: string }>(
  async () => key,
  () => now,
)
const content = { after: 'é' }
const notOurs = {
  status: 400,
  scimType: 'invalidCursor',
  message: /not one that this query was answered with/,
}

t.test('a cursor is opened by any process with the key, and for its own query only', async (t) => {
  const cursor = await cursors.seal('tenant 1, query a', content)
  t.match(cursor, /^[A-Za-z0-9._~-]+$/, 'RFC 9865 §2.1: unreserved characters only')
  const other = createCursors(
    async () => key,
    () => now,
  )
  t.strictSame(await other.open('tenant 1, query a', cursor), content)
  await t.rejects(cursors.open('tenant 2, query a', cursor), notOurs)
  await t.rejects(cursors.open('tenant 1, query b', cursor), notOurs)
  const stranger = createCursors(
    async () => randomBytes(32),
    () => now,
  )
  await t.rejects(stranger.open('tenant 1, query a', cursor), notOurs)
  t.not(
    await cursors.seal('tenant 1, query a', content),
    cursor,
    'no two are alike, so none can be told from another',
  )
})

t.test('a cursor of which any character or byte is changed, added or left out is no cursor', async (t) => {
  const cursor = await cursors.seal('scope', content)
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const accepted: string[] = []
  for (const [index, letter] of [...cursor].entries()) {
    for (const other of letters.replace(letter, '')) {
      const altered = cursor.slice(0, index) + other + cursor.slice(index + 1)
      await cursors.open('scope', altered).then(
        () => accepted.push(altered),
        (error) => error.scimType === 'invalidCursor' || accepted.push(`${error}`),
      )
    }
  }
  for (const altered of [
    `${cursor}A`,
    `${cursor}=`,
    `${cursor} `,
    cursor.slice(1),
    cursor.slice(0, -1),
    'x',
    '%',
    '\u0000',
  ]) {
    await t.rejects(cursors.open('scope', altered), notOurs)
  }
  t.strictSame(accepted, [])
})

t.test('a cursor expires, and not before its time', async (t) => {
  const start = now.getTime()
  const cursor = await cursors.seal('scope', content)
  now = new Date(start + CURSOR_TIMEOUT_SECONDS * 1000)
  t.strictSame(await cursors.open('scope', cursor), content)
  now = new Date(start + CURSOR_TIMEOUT_SECONDS * 1000 + 1)
  await t.rejects(cursors.open('scope', cursor), {
    status: 400,
    scimType: 'expiredCursor',
    message: /expired/,
  })
})
