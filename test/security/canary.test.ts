import { randomBytes, randomUUID } from 'node:crypto'
import t from 'tap'
import { openDatabase } from '../support/database.ts'
import { startSandbox } from '../support/sandbox.ts'
import { addMembers, groupBody, patchBody, scimClient, userBody } from '../support/scim-client.ts'
import { startServiceProcess } from '../support/service-process.ts'
import { until } from '../support/until.ts'
import { head, sendRaw } from './setup.ts'

const CANARY = `canary-${randomBytes(6).toString('hex')}`
const ADDRESS = `${CANARY}@example.com`
const TOKEN = `scim_0123456789abcdef_${randomBytes(32).toString('base64url')}`

t.test(
  'an address and a token, sent everywhere, are in no log, no metric and nobody else’s answer',
  async (t) => {
    const database = await openDatabase(t)
    const sandbox = await startSandbox(t, ['Placeholder', 'Agents'])
    const service = await startServiceProcess(t, {
      databaseUrl: database.url,
      campaignManagerUrl: sandbox.url,
      env: { LOG_LEVEL: 'trace', CAMPAIGN_MANAGER_TIMEOUT_MS: '2000' },
    })
    const { url, scim } = service
    const stranger = scimClient(url, TOKEN)
    const encoded = encodeURIComponent(ADDRESS)
    const filter = encodeURIComponent(`emails.value eq "${ADDRESS}"`)
    const canary = userBody(CANARY, { title: ADDRESS, password: TOKEN, nickName: TOKEN })

    const { body: made } = await scim('POST', '/Users', canary)
    t.equal(made.userName, ADDRESS)
    const { body: group } = await scim('POST', '/Groups', groupBody('Agents'))
    await scim('PATCH', `/Groups/${group.id}`, addMembers(ADDRESS))
    await until('the account is made', () => sandbox.state.userByEmail(ADDRESS)?.roles.includes('Agents'))

    const paths = [
      '',
      '/Users',
      '/Groups',
      '/Me',
      '/Bulk',
      '/Schemas',
      '/ResourceTypes',
      '/ServiceProviderConfig',
      '/.search',
      '/Users/.search',
      '/Nothing',
      `/Users/${made.id}`,
      `/Users/${ADDRESS}`,
      `/Users/${encoded}`,
      `/Groups/${ADDRESS}`,
      `/Schemas/${ADDRESS}`,
      `/${ADDRESS}`,
      `/Users/%zz${ADDRESS}`,
      `/Users/${TOKEN}`,
    ]
    const queries = [
      '',
      `?filter=${filter}`,
      `?${encoded}=${encoded}`,
      `?filter=${encoded}`,
      `?sortBy=${encoded}`,
      `?attributes=${encoded}&cursor=${TOKEN}`,
      `?access_token=${TOKEN}`,
    ]
    const bodies = [
      undefined,
      canary,
      { ...canary, userName: { value: ADDRESS } },
      JSON.stringify(canary).slice(0, -3),
      `"${ADDRESS}`,
      patchBody({ op: 'replace', path: `emails[value eq "${ADDRESS}"].value`, value: [ADDRESS] }),
      patchBody({ op: 'add', path: 'members', value: [{ value: `nobody-${ADDRESS}` }] }),
      patchBody({ op: ADDRESS, path: ADDRESS, value: ADDRESS }),
      groupBody(ADDRESS),
      {
        schemas: ['urn:ietf:params:scim:api:messages:2.0:SearchRequest'],
        filter: `userName eq "${ADDRESS}" and ${ADDRESS}`,
      },
      {
        schemas: ['urn:ietf:params:scim:api:messages:2.0:BulkRequest'],
        Operations: [{ method: 'POST', path: '/Users', bulkId: ADDRESS, data: canary }],
      },
    ]
    const headers = {
      'if-match': `W/"${ADDRESS}"`,
      'user-agent': ADDRESS,
      referer: `http://x/?${ADDRESS}`,
      cookie: `session=${TOKEN}`,
      'x-forwarded-for': ADDRESS,
      'x-request-id': ADDRESS,
    }
    for (const path of paths) {
      for (const query of queries) await scim('GET', `${path}${query}`, undefined, headers)
      for (const method of ['POST', 'PUT', 'PATCH']) {
        for (const body of bodies) await scim(method, path, body, path === `/Users/${made.id}` ? {} : headers)
      }
      await stranger('GET', `${path}?filter=${filter}`, undefined, headers)
      await fetch(`${url}${path}?${encoded}`, { headers })
    }
    for (const bytes of [
      head(`GET /scim/v2/Users?${ADDRESS} HTTQ/1.1`),
      head('GET /scim/v2/Users HTTP/1.1', { [`${ADDRESS} `]: TOKEN }),
      head(`${ADDRESS} / HTTP/1.1`),
      head('GET / HTTP/1.1', { Long: `${ADDRESS},`.repeat(3000) }),
      head('POST /oauth2/token HTTP/1.1', {
        Authorization: `Basic ${Buffer.from(`${ADDRESS}:${TOKEN}`).toString('base64')}`,
      }),
    ]) {
      await sendRaw(url, bytes)
    }
    await fetch(`${url}/oauth2/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: ADDRESS,
        client_secret: TOKEN,
      }),
    })

    const own = new Set(['content-type', 'location', 'etag'])
    const harmless = await Promise.all([
      scim('GET', '/Users/x'),
      scim('GET', `/Users?filter=userName eq "${randomUUID()}"`),
      scim('POST', '/Users', '{'),
      scim('GET', '/Schemas'),
    ])
    for (const { body, headers } of harmless) {
      t.notOk(JSON.stringify(body).includes(CANARY) || JSON.stringify(body).includes(TOKEN))
      t.notOk([...headers].some(([name, value]) => !own.has(name) && value.includes(CANARY)))
    }
    const metrics = await (await fetch(`${url}/metrics`)).text()
    t.notOk(metrics.includes(CANARY) || metrics.includes(TOKEN), 'metrics')

    // And while Postgres is away, whose driver quotes rows in its errors.
    await database.pool.query('alter table scim_user rename to scim_user_away')
    await scim('POST', '/Users', userBody(CANARY, { userName: `other-${ADDRESS}` }))
    await scim('GET', `/Users?filter=${filter}`)
    await database.pool.query('alter table scim_user_away rename to scim_user')
    await scim('DELETE', `/Users/${made.id}`)
    await until('the account is gone', () => sandbox.state.userByEmail(ADDRESS) === undefined)

    service.child.kill('SIGTERM')
    const { stdout, stderr } = await service.ended
    const lines = stdout.split('\n')
    t.ok(lines.length > 1000, `${lines.length} lines were logged`)
    const secret = TOKEN.slice(-43)
    const telling = `${stdout}\n${stderr}`
      .split('\n')
      .filter((line) => line.includes(CANARY) || line.includes(secret))
    t.strictSame(telling.slice(0, 5), [], `${telling.length} lines tell`)
  },
)
