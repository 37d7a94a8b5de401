import t from 'tap'
import { accountExternalId, accountFields } from '../../src/provisioning/account-fields.ts'

const emailOf = (user: Record<string, unknown>) => accountFields(user).email

t.test('which address an account gets', async (t) => {
  const home = { value: 'home@example.com', type: 'home' }
  const work = { value: 'work@example.com', type: 'Work' }
  t.equal(emailOf({ emails: [work, { ...home, primary: true }] }), home.value, 'the primary one')
  t.equal(emailOf({ emails: [home, work] }), work.value, 'else the one of type work')
  t.equal(emailOf({ emails: [home], userName: 'ann@example.com' }), home.value, 'else the first')
  t.equal(emailOf({ userName: 'ann@example.com' }), 'ann@example.com', 'else userName')
  t.equal(emailOf({ userName: 'ann' }), undefined, 'which need not be an address')
  t.equal(
    emailOf({ userName: 'ann@example.com', emails: [{ type: 'work', value: 'none' }] }),
    'ann@example.com',
  )
})

t.test('names', async (t) => {
  const user = { name: { givenName: 'Ann', familyName: 'Lee', formatted: 'Ann Lee' } }
  t.match(accountFields(user), { firstName: 'Ann', lastName: 'Lee', displayName: 'Ann Lee' })
  t.equal(accountFields({ ...user, displayName: 'Annie' }).displayName, 'Annie')
  const long = accountFields({ displayName: '\u{1F600}'.repeat(300) }).displayName
  t.equal(long, '\u{1F600}'.repeat(256), 'cut to what Campaign Manager takes, between characters')
})

t.test('the identity that an account carries', async (t) => {
  t.equal(accountExternalId({ externalId: 'object-id' }, 'scim-id'), 'object-id')
  t.equal(accountExternalId({}, 'scim-id'), 'scim-id')
  t.equal(accountExternalId(undefined, 'scim-id'), 'scim-id')
  t.equal(accountExternalId({ externalId: 'x'.repeat(257) }, 'scim-id'), 'scim-id')
})
