import fc from 'fast-check'
import t from 'tap'
import { fold } from '../../src/scim/fold.ts'

t.test('RFC 8265 §3.3: width, case and normal form', async (t) => {
  t.equal(fold('ＪＤoe@Contoso.COM'), 'jdoe@contoso.com')
  t.equal(fold('E\u0301'), fold('é'))
  t.not(fold('é'), fold('e'))
})

t.test('RFC 8265 §3.3: folding does not depend on the normal form of what is folded', async (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      t.equal(fold(text.normalize('NFD')), fold(text.normalize('NFC')))
    }),
  )
})
