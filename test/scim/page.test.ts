import t from 'tap'
import { parsePage } from '../../src/scim/page.ts'
import { refusal } from './examples.ts'

t.test('RFC 7644 §3.4.2.4: startIndex and count', async (t) => {
  t.strictSame(parsePage({}), { startIndex: 1, count: 100 })
  t.strictSame(parsePage({ startIndex: '3', count: '5' }), { startIndex: 3, count: 5 })
  t.strictSame(parsePage({ startIndex: 3, count: 5 }), { startIndex: 3, count: 5 })
  t.strictSame(parsePage({ startIndex: '0', count: '0' }), { startIndex: 1, count: 0 })
  t.strictSame(parsePage({ startIndex: '-5', count: '-1' }), { startIndex: 1, count: 0 })
  t.strictSame(parsePage({ count: '1001' }), { startIndex: 1, count: 1000 })
  const huge = '9'.repeat(400)
  t.strictSame(parsePage({ startIndex: huge, count: huge }), {
    startIndex: Number.MAX_SAFE_INTEGER,
    count: 1000,
  })
  t.strictSame(parsePage({ startIndex: `-${huge}` }), { startIndex: 1, count: 100 })
})

t.test('RFC 7644 §3.4.2.4: what is no integer is refused', async (t) => {
  for (const value of ['', 'ten', '1.5', '1e3', '0x10', ' 1', 1.5, Number.NaN, null, {}]) {
    t.throws(() => parsePage({ count: value }), refusal('invalidValue', 'count must be an integer'))
  }
  t.throws(
    () => parsePage({ startIndex: ['1', '2'] }),
    refusal('invalidValue', 'startIndex is given more than once'),
  )
})
