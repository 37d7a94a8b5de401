import t from 'tap'
import { userBody } from '../support/scim-client.ts'
import { SCIM_TOKEN, startTestService } from '../support/service.ts'

t.test('what no honest client sends is refused for what is wrong with it', async (t) => {
  const { scim, url } = await startTestService(t)
  const headers = { authorization: `Bearer ${SCIM_TOKEN}`, 'content-type': 'application/scim+json' }

  const spaces = userBody('ann', { x509Certificates: [{ value: `${' '.repeat(1_000_000)}!` }] })
  t.match(await scim('POST', '/Users', spaces), { status: 400, body: { scimType: 'invalidValue' } })

  // Full-width letters: shorter when folded than as they are kept.
  const wide = userBody('ann', { externalId: '\uFF21'.repeat(1990) })
  t.match(await scim('POST', '/Users', wide), {
    status: 400,
    body: { scimType: 'invalidValue', detail: /externalId/ },
  })

  const bytes = Buffer.concat([
    Buffer.from(JSON.stringify(userBody('ann')).slice(0, -1)),
    Buffer.from(',"title":"\xff"}', 'latin1'),
  ])
  const notUtf8 = await fetch(`${url}/scim/v2/Users`, { method: 'POST', headers, body: bytes })
  t.match(
    { status: notUtf8.status, body: await notUtf8.json() },
    { status: 400, body: { scimType: 'invalidSyntax', detail: /UTF-8/ } },
  )

  const zipped = await scim('POST', '/Users', userBody('ann'), { 'content-encoding': 'gzip' })
  t.match(zipped, { status: 415, body: { detail: /'gzip' is not understood/ } })

  for (const [method, path] of [
    ['OPTIONS', '/Users'],
    ['PUT', '/.search'],
    ['POST', '/Schemas'],
  ] as const) {
    const { status, headers } = await scim(method, path, method === 'OPTIONS' ? undefined : '{')
    t.equal(status, 405, `${method} ${path}, whatever its body`)
    t.ok(headers.get('allow'))
  }
  t.equal((await scim('POST', '/Me', '{')).status, 501)
  for (const path of ['/ServiceProviderConfig', '/Schemas', '/ResourceTypes/User']) {
    t.equal((await scim('GET', `${path}?filter=id+pr`)).status, 403, path)
  }
  t.equal((await scim('GET', '/Users')).body.totalResults, 0)
})
