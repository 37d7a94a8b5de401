import t from 'tap'
import { cursorCount, parsePage } from '../../src/scim/page.ts'
import { refusal } from './examples.ts'

t.test('RFC 7644 §3.4.2.4: startIndex and count', async (t) => {
  t.strictSame(parsePage({}), { kind: 'index', startIndex: 1, count: 100 })
  t.strictSame(parsePage({ startIndex: '3', count: '5' }), { kind: 'index', startIndex: 3, count: 5 })
  t.strictSame(parsePage({ startIndex: 3, count: 5 }), { kind: 'index', startIndex: 3, count: 5 })
  t.strictSame(parsePage({ startIndex: '0', count: '0' }), { kind: 'index', startIndex: 1, count: 0 })
  t.strictSame(parsePage({ startIndex: '-5', count: '-1' }), { kind: 'index', startIndex: 1, count: 0 })
  t.strictSame(parsePage({ count: '1001' }), { kind: 'index', startIndex: 1, count: 1000 })
  const huge = '9'.repeat(400)
  t.strictSame(parsePage({ startIndex: huge, count: huge }), {
    kind: 'index',
    startIndex: Number.MAX_SAFE_INTEGER,
    count: 1000,
  })
  t.strictSame(parsePage({ startIndex: `-${huge}` }), { kind: 'index', startIndex: 1, count: 100 })
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

t.test('RFC 9865 §2: a cursor, or an index', async (t) => {
  t.strictSame(parsePage({ cursor: '' }), { kind: 'cursor', cursor: '', count: undefined })
  t.strictSame(parsePage({ cursor: 'c', count: '5000' }), { kind: 'cursor', cursor: 'c', count: 1000 })
  t.throws(() => parsePage({ cursor: ['a', 'b'] }), refusal('invalidValue', 'cursor must be one text'))
  t.throws(
    () => parsePage({ cursor: '', startIndex: '1' }),
    refusal('invalidValue', 'startIndex and cursor cannot be given together'),
  )
  t.equal(cursorCount(undefined, 7), 7)
  t.equal(cursorCount(7, 7), 7)
  t.throws(
    () => cursorCount(8, 7),
    refusal('invalidCount', /^count must be between 0 and 1000, and .*\(7\)$/),
  )
})
