import t from 'tap'
import { isScimError } from '../e2e/setup.ts'
import { patchBody, userBody } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'

/** RFC 7644 §5 and RFC 8265 §3.3 (UsernameCaseMapped): forms of one name, of which the first one is taken. */
const SAME: readonly (readonly string[])[] = [
  ['ann@example.com', 'ANN@example.com', 'ａｎｎ@example.com', 'ＡＮＮ＠ＥＸＡＭＰＬＥ．ＣＯＭ'],
  ['zoé', 'ZOÉ', 'zoe\u0301', 'ZOE\u0301'],
  ['ångström', 'a\u030angstro\u0308m', '\u212bngström', 'ÅNGSTRÖM'],
  ['ｶﾞｸ', 'ガク', 'カ\u3099ク'],
  ['ﬁona', 'fiona', 'FIONA'],
]

const DIFFERENT = ['zoe', 'angstrom', 'ann', 'ガ', 'ß', 'ss', 'ıx', 'ix']

t.test('RFC 8265: one name in several forms is one name', async (t) => {
  const { scim } = await startTestService(t)
  const find = async (name: string): Promise<string[]> => {
    const filter = encodeURIComponent(`userName eq ${JSON.stringify(name)}`)
    const { body } = await scim('GET', `/Users?filter=${filter}`)
    return body.Resources.map(({ id }: { id: string }) => id)
  }
  for (const forms of SAME) {
    const [first = '', ...others] = forms
    const made = await scim('POST', '/Users', userBody('x', { userName: first }))
    t.equal(made.status, 201, first)
    t.equal(made.body.userName, first, 'it is kept as it was sent')
    for (const form of others) {
      isScimError(
        t,
        await scim('POST', '/Users', userBody('x', { userName: form })),
        { status: 409, scimType: 'uniqueness' },
        form,
      )
      t.strictSame(await find(form), [made.body.id], `userName eq ${form}`)
    }
  }
  for (const userName of DIFFERENT) {
    t.equal((await scim('POST', '/Users', userBody('x', { userName }))).status, 201, userName)
  }
})

t.test('RFC 8265: what cannot be seen is in no name', async (t) => {
  const { scim } = await startTestService(t)
  const { body: ann } = await scim('POST', '/Users', userBody('ann'))
  const refusal = { status: 400, scimType: 'invalidValue', detail: /cannot be seen/ }
  for (const unseen of [
    '\u0001',
    '\t',
    '\n',
    '\r',
    '\u007f',
    '\u0085',
    '\u00ad',
    '\u200b',
    '\u200e',
    '\u202e',
    '\u2028',
    '\u2060',
    '\u2066',
    '\ufeff',
  ]) {
    const userName = `ann${unseen}@example.com`
    const code = unseen.codePointAt(0)?.toString(16)
    isScimError(t, await scim('POST', '/Users', userBody('x', { userName })), refusal, `POST U+${code}`)
    isScimError(
      t,
      await scim('PUT', `/Users/${ann.id}`, userBody('ann', { userName })),
      refusal,
      `PUT U+${code}`,
    )
    const patch = patchBody({ op: 'replace', path: 'userName', value: userName })
    isScimError(t, await scim('PATCH', `/Users/${ann.id}`, patch), refusal, `PATCH U+${code}`)
    const filter = encodeURIComponent(`userName eq ${JSON.stringify(userName)}`)
    const { body } = await scim('GET', `/Users?filter=${filter}`)
    t.equal(body.totalResults, 0, 'asking is no fault')
  }
  // Between these letters a joiner is a part of the word.
  t.equal((await scim('POST', '/Users', userBody('x', { userName: 'نامه\u200cای' }))).status, 201)
})
