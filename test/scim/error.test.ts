import t from 'tap'
import {
  errorBody,
  invalidFilter,
  notFound,
  preconditionFailed,
  ScimError,
  uniqueness,
} from '../../src/scim/error.ts'

t.test('RFC 7644 §3.12: the body of an error has its status as a string', async (t) => {
  t.strictSame(errorBody({ status: 400, scimType: 'mutability', detail: "Attribute 'id' is readOnly" }), {
    schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'],
    status: '400',
    scimType: 'mutability',
    detail: "Attribute 'id' is readOnly",
  })
  t.notOk('scimType' in errorBody({ status: 404, scimType: undefined, detail: 'gone' }))
})

t.test('RFC 7644 §3.12: status and scimType belong together', async (t) => {
  const cause = new Error('why')
  const error = invalidFilter('bad', { cause })
  t.match(error, { name: 'ScimError', status: 400, scimType: 'invalidFilter', message: 'bad' })
  t.type(error, ScimError)
  t.equal(error.cause, cause)
  t.match(uniqueness('taken'), { status: 409, scimType: 'uniqueness' })
  t.match(notFound('gone'), { status: 404, scimType: undefined })
  t.match(preconditionFailed('changed'), { status: 412, scimType: undefined })
})
