import t from 'tap'
import { etagOf, matchesEtag } from '../../src/scim/etag.ts'

t.test('RFC 7644 §3.14: a weak tag of the version', async (t) => {
  t.equal(etagOf('7'), 'W/"7"')
  t.equal(etagOf(7), 'W/"7"')
})

t.test('RFC 9110 §8.8.3.2: weak comparison, lists and the asterisk', async (t) => {
  for (const header of ['W/"7"', '"7"', '*', '"1", W/"7"', ' W/"7" ,"2"'])
    t.ok(matchesEtag(header, etagOf(7)), header)
  for (const header of ['W/"8"', '7', '', '"77"', 'w/"7"']) t.notOk(matchesEtag(header, etagOf(7)), header)
})
