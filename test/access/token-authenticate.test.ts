import t, { type Test } from 'tap'
import { createAuthenticator } from '../../src/access/authenticate.ts'
import type { CredentialKind } from '../../src/access/principal.ts'
import { createTenant } from '../../src/access/tenants.ts'
import { createToken, parseToken, sameHash, sha256 } from '../../src/access/token.ts'
import { issueToken, revokeToken } from '../../src/access/tokens.ts'
import { openDatabase } from '../support/database.ts'

const SCIM_TOKEN = 'configured-token-of-the-default-tenant-0123'

t.test('a token names its environment, and has 256 random bits', async (t) => {
  t.match(createToken('prod').token, /^scim_prod_[a-z0-9]{16}_[A-Za-z0-9_-]{43}$/)
  t.match(createToken('dev').token, /^scim_dev_[a-z0-9]{16}_[A-Za-z0-9_-]{43}$/)
  const { token, tokenId, secretHash } = createToken('prod')
  t.same(parseToken(token), { tokenId, secretHash })
  t.equal(Buffer.from(token.slice(-43), 'base64url').length, 32)
})

t.test('what is no token of this form is not taken for one', async (t) => {
  const { token } = createToken('dev')
  const others = [
    '',
    `${token}x`,
    token.slice(0, -1),
    ` ${token}`,
    `${token}\n`,
    token.toUpperCase(),
    token.replace('scim_dev', 'scim_test'),
    token.replace('scim_dev_', 'scim__'),
    token.replace('scim_dev_', 'scim_dev_prod_'),
    `scim_${'x'.repeat(43)}`,
  ]
  for (const other of others) t.equal(parseToken(other), undefined, JSON.stringify(other))
})

t.test('CVE-2022-31142: digests are compared, so that a length says nothing', async (t) => {
  for (const presented of ['', 'a', SCIM_TOKEN.slice(0, -1), `${SCIM_TOKEN}x`, 'x'.repeat(100_000)]) {
    t.equal(sha256(presented).length, 32)
    t.equal(sameHash(sha256(presented), sha256(SCIM_TOKEN)), false)
  }
  t.equal(sameHash(sha256(SCIM_TOKEN), sha256(SCIM_TOKEN)), true)
})

t.test('every credential leads to its tenant, its name and what it may do', async (t) => {
  const { db, authenticate } = await setup(t)
  t.match(await authenticate(SCIM_TOKEN), {
    principal: { tenantId: 1, credential: 'SCIM_TOKEN', access: 'write' },
  })
  for (const access of ['read', 'write'] as const) {
    const issued = await issueToken(db, 'acme', 'entra', 1, { access, environment: 'prod' })
    t.same(await authenticate(issued?.token ?? ''), {
      principal: { tenantId: 2, credential: `token:${issued?.id}`, access },
    })
  }
})

t.test('tokens of the form without an environment stay valid', async (t) => {
  const { db, authenticate } = await setup(t)
  const { token, tokenId, secretHash } = createToken('dev')
  // As the version before wrote it, which knew no other columns.
  await db
    .insertInto('scim_token')
    .values({ tenant_id: 1, token_id: tokenId, name: 'old', secret_hash: secretHash })
    .execute()
  t.same(await authenticate(token.replace('scim_dev_', 'scim_')), {
    principal: { tenantId: 1, credential: `token:${tokenId}`, access: 'write' },
  })
})

t.test('a wrong token is refused, and named only if its secret was right', async (t) => {
  const { db, authenticate } = await setup(t)
  const issue = async () => (await issueToken(db, 'default', 'x', 1)) ?? { id: '', token: '' }
  const [right, revoked, expired] = [await issue(), await issue(), await issue()]
  await revokeToken(db, 'default', revoked.id)
  await db
    .updateTable('scim_token')
    .set({ expires_at: new Date(0) })
    .where('token_id', '=', expired.id)
    .execute()
  const secret = right.token.slice(-43)
  t.same(await authenticate(revoked.token), { failure: 'revoked', credential: `token:${revoked.id}` })
  t.same(await authenticate(expired.token), { failure: 'expired', credential: `token:${expired.id}` })
  t.same(await authenticate(`scim_dev_0123456789abcdef_${secret}`), { failure: 'unknown' })
  t.same(await authenticate(`scim_dev_${revoked.id}_${secret}`), { failure: 'unknown' })
  t.same(await authenticate('something else'), { failure: 'malformed' })
  t.match(await authenticate(right.token), { principal: { tenantId: 1 } })
})

t.test('ToolJet #16217: no token is no token, even where none is configured', async (t) => {
  const { db } = await openDatabase(t)
  for (const scimToken of [undefined, '', ' ', 'undefined', 'null']) {
    const authenticate = createAuthenticator({ db, scimToken })
    for (const presented of ['', ' ', '\t', 'undefined', 'null', 'NULL', ' undefined ']) {
      t.same(
        await authenticate(presented),
        { failure: 'malformed' },
        `${JSON.stringify(presented)} while SCIM_TOKEN is ${JSON.stringify(scimToken)}`,
      )
    }
  }
})

t.test('GHSA-j8v8-g9cx-5qf4: a credential without an owner is nobody’s', async (t) => {
  const { db } = await openDatabase(t)
  for (const tenantId of [null, undefined, Number.NaN, '1']) {
    const orphan: CredentialKind = {
      matches: () => true,
      authenticate: async () => ({
        principal: { tenantId: tenantId as number, credential: 'orphan', access: 'write' },
      }),
    }
    const authenticate = createAuthenticator({ db, scimToken: undefined, kinds: [orphan] })
    t.match(await authenticate('any'), { failure: 'unknown' }, String(tenantId))
  }
  await t.rejects(
    db
      .insertInto('scim_token')
      .values({
        tenant_id: null as unknown as number,
        token_id: '0123456789abcdef',
        name: 'x',
        secret_hash: sha256('x'),
      })
      .execute(),
    { code: '23502', message: /tenant_id/ },
    'the database refuses one too',
  )
})

t.test('further kinds are asked by the looks of a token, after our own', async (t) => {
  const { db } = await openDatabase(t)
  const asked: string[] = []
  const kind = (name: string): CredentialKind => ({
    matches: (token) => token.startsWith(name) || token.startsWith('scim_'),
    authenticate: async (token) => {
      asked.push(`${name}: ${token}`)
      return { principal: { tenantId: 1, credential: name, access: 'read' } }
    },
  })
  const authenticate = createAuthenticator({
    db,
    scimToken: SCIM_TOKEN,
    kinds: [kind('one'), kind('two')],
  })
  t.match(await authenticate('two.x'), { principal: { credential: 'two', access: 'read' } })
  t.match(await authenticate(createToken('dev').token), { failure: 'unknown' }, 'it is of our own kind')
  t.match(await authenticate('three.x'), { failure: 'malformed' })
  t.same(asked, ['two: two.x'])
})

async function setup(t: Test) {
  const { db } = await openDatabase(t)
  await createTenant(db, 'acme')
  return { db, authenticate: createAuthenticator({ db, scimToken: SCIM_TOKEN }) }
}
