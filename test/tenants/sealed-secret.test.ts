import t from 'tap'
import { loadConfig } from '../../src/config.ts'
import { createEncryptionKeys, parseEncryptionKeys } from '../../src/sealed-secret.ts'

const hex = '0f'.repeat(32)
const base64 = Buffer.alloc(32, 9).toString('base64')
const owner = { tenantId: 1, purpose: 'campaign_manager_key' }

t.test('a key is 32 bytes, in either notation', async (t) => {
  t.equal(parseEncryptionKeys(hex)?.[0]?.length, 32)
  t.equal(parseEncryptionKeys(base64)?.[0]?.length, 32)
  t.equal(parseEncryptionKeys(`${hex}, ${base64}`)?.length, 2)
  const malformed = [
    '',
    hex.slice(2),
    `${hex}00`,
    base64.slice(4),
    `${base64}=x`,
    `${hex},`,
    'g'.repeat(64),
    `${hex};${base64}`,
  ]
  for (const text of malformed) t.equal(parseEncryptionKeys(text), undefined, text)
})

t.test('a malformed ENCRYPTION_KEY stops the start, and is not shown', async (t) => {
  t.throws(() => loadConfig({ ENCRYPTION_KEY: 'secret-but-short' }, () => ''), {
    name: 'ConfigError',
    faults: [
      'ENCRYPTION_KEY: must be 32 bytes in base64 or in hexadecimal digits, or several such, separated by commas',
    ],
  })
  t.equal(loadConfig({ ENCRYPTION_KEY_FILE: '/key' }, () => `${hex}\n`).encryptionKey, hex)
})

t.test('what was sealed is opened by its key, for its owner, unchanged', async (t) => {
  const keys = createEncryptionKeys(hex)
  const secret = keys.seal('käse', owner)
  t.equal(keys.open(secret, owner), 'käse')
  t.notSame(keys.seal('käse', owner).sealed, secret.sealed, 'never twice the same')
  const newer = createEncryptionKeys(`${base64},${hex}`)
  t.equal(newer.open(secret, owner), 'käse')
  t.strictSame([keys.isCurrent(secret), newer.isCurrent(secret)], [true, false])

  const changed = 'what is stored was changed, or belongs to another tenant'
  t.throws(() => keys.open(secret, { ...owner, tenantId: 2 }), {
    name: 'SealedSecretError',
    message: changed,
  })
  t.throws(() => keys.open(secret, { ...owner, purpose: 'other' }), { message: changed })
  for (let byte = 0; byte < secret.sealed.length; byte += 1) {
    const sealed = Buffer.from(secret.sealed)
    sealed[byte] = (sealed[byte] ?? 0) ^ 1
    t.throws(() => keys.open({ ...secret, sealed }, owner), { message: changed }, `byte ${byte}`)
  }
  t.throws(() => keys.open({ ...secret, sealed: secret.sealed.subarray(0, 20) }, owner), { message: changed })
  t.throws(() => createEncryptionKeys(base64).open(secret, owner), { message: /has no key with the id/ })
  t.throws(() => createEncryptionKeys(undefined).open(secret, owner), {
    message: 'ENCRYPTION_KEY is not set',
  })
  t.throws(() => createEncryptionKeys(undefined).seal('x', owner), { name: 'SealedSecretError' })
})
