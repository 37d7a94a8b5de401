import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { openDatabase } from '../support/database.ts'
import { startSandbox } from '../support/sandbox.ts'
import {
  addMembers,
  groupBody,
  PATCH_SCHEMA,
  patchBody,
  USER_SCHEMA,
  userBody,
} from '../support/scim-client.ts'
import { startServiceProcess } from '../support/service-process.ts'
import { until } from '../support/until.ts'

const FROZEN = fileURLToPath(new URL('../../src/frozen-prototypes.ts', import.meta.url))

const SCRIPT = `
  const attempt = (act) => { try { act(); return 'done' } catch (error) { return error.constructor.name } }
  class Named extends Error { constructor() { super('x'); this.name = 'Named' } }
  function Old() {}
  Old.prototype.toString = function () { return 'old' }
  const own = {}
  own.toString = () => 'own'; own.constructor = 1; own.hasOwnProperty = 2
  const call = () => {}
  call.toString = () => 'function'; call.bind = 1
  console.log(JSON.stringify({
    added: ['Object', 'Array', 'Function', 'String', 'Number', 'Boolean'].map((name) =>
      attempt(() => { globalThis[name].prototype.polluted = 1 })),
    replaced: attempt(() => { Object.prototype.toString = () => 'x' }),
    byConstructor: attempt(() => { ({}).constructor.prototype.polluted = 1 }),
    byProto: attempt(() => { ({}).__proto__.polluted = 1 }),
    seen: 'polluted' in {},
    overridden: [String(own), own.constructor, own.hasOwnProperty, String(new Old()), String(call), call.bind],
    names: [new Named().name, String(new Named())],
    keys: Object.keys(own),
    isArray: [].map((x) => x).constructor === Array,
  }))`

t.test('T10: prototypes cannot be changed, and objects can still override what they inherit', async (t) => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--disable-proto=delete',
    '--import',
    FROZEN,
    '--input-type=module',
    '--eval',
    SCRIPT,
  ])
  t.strictSame(JSON.parse(stdout), {
    added: Array(6).fill('TypeError'),
    replaced: 'TypeError',
    byConstructor: 'TypeError',
    byProto: 'TypeError',
    seen: false,
    overridden: ['own', 1, 2, 'old', 'function', 1],
    names: ['Named', 'Named: x'],
    keys: ['toString', 'constructor', 'hasOwnProperty'],
    isArray: true,
  })
})

t.test('CVE-2026-48170, CVE-2026-61834: keys and paths that reach for prototypes', async (t) => {
  const database = await openDatabase(t)
  const sandbox = await startSandbox(t)
  const { scim, url } = await startServiceProcess(t, {
    databaseUrl: database.url,
    campaignManagerUrl: sandbox.url,
    nodeArgs: ['--disable-proto=delete'],
  })
  const { body: ann } = await scim('POST', '/Users', userBody('ann'))
  const { body: group } = await scim('POST', '/Groups', groupBody('Agents'))
  t.equal((await scim('PATCH', `/Groups/${group.id}`, addMembers(ann.id))).status, 204)
  t.match(await (await fetch(`${url}/metrics`)).text(), /scim_bridge_reconcile_pending/)
  await until('the account has the role', () => sandbox.state.users()[0]?.roles.includes('Agents'))

  const names = ['__proto__', 'constructor', 'prototype']
  const bodies = names.flatMap((name) => [
    `{"schemas":["${USER_SCHEMA}"],"userName":"evil@example.com","${name}":{"polluted":true}}`,
    `{"schemas":["${USER_SCHEMA}"],"userName":"evil@example.com","name":{"${name}":{"polluted":true}}}`,
    `{"schemas":["${USER_SCHEMA}"],"userName":"evil@example.com","emails":[{"value":"x","${name}":1}]}`,
    `{"schemas":["${USER_SCHEMA}"],"userName":"evil@example.com","urn:x:y":{"${name}":1}}`,
    `{"schemas":["${USER_SCHEMA}"],"userName":"evil@example.com","${name.replace('o', '\\u006f')}":1}`,
  ])
  const patches = names.flatMap((name) => [
    `{"schemas":["${PATCH_SCHEMA}"],"Operations":[{"op":"add","value":{"${name}":{"polluted":true}}}]}`,
    `{"schemas":["${PATCH_SCHEMA}"],"Operations":[{"op":"add","path":"name","value":{"${name}":{"polluted":true}}}]}`,
    `{"schemas":["${PATCH_SCHEMA}"],"Operations":[{"op":"add","path":"title","value":"x","${name}":1}]}`,
  ])
  for (const body of bodies) {
    t.match(await scim('POST', '/Users', body), { status: 400, body: { scimType: 'invalidSyntax' } }, body)
    t.match(await scim('PUT', `/Users/${ann.id}`, body), { status: 400 }, `PUT ${body}`)
  }
  for (const body of patches) {
    t.match(
      await scim('PATCH', `/Users/${ann.id}`, body),
      { status: 400, body: { scimType: 'invalidSyntax' } },
      body,
    )
  }
  const inherited = [...names, '__PROTO__', 'toString', 'hasOwnProperty', '__defineGetter__', 'valueOf']
  for (const name of inherited) {
    for (const path of [
      name,
      `${name}.polluted`,
      `constructor.${name}`,
      `name.${name}`,
      `emails.${name}`,
      `emails[${name} eq "x"]`,
      `emails[type eq "work"].${name}`,
      `${USER_SCHEMA}:${name}`,
      `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:${name}.x`,
    ]) {
      for (const op of ['add', 'replace', 'remove']) {
        const answer = await scim('PATCH', `/Users/${ann.id}`, patchBody({ op, path, value: true }))
        t.match(answer, { status: 400, body: { scimType: /^invalid(Path|Filter)$/ } }, `${op} ${path}`)
      }
      const filter = encodeURIComponent(path.endsWith(']') ? path : `${path} eq "x"`)
      const found = await scim('GET', `/Users?filter=${filter}`)
      t.match(found, { status: 400, body: { scimType: 'invalidFilter' } }, `filter ${path}`)
      const sorted = await scim('GET', `/Users?sortBy=${encodeURIComponent(name)}`)
      t.match(sorted, { status: 400, body: { scimType: 'invalidPath' } }, `sortBy ${name}`)
    }
    const dotted = await scim(
      'PATCH',
      `/Users/${ann.id}`,
      patchBody({ op: 'add', value: { [`${name}.x`]: 1 } }),
    )
    t.ok(dotted.status < 500, `${name}.x: ${dotted.status}`)
    t.equal((await scim('GET', `/Schemas/${name}`)).status, 404)
    t.equal((await scim('GET', `/${name}`)).status, 404)
    const shown = await scim('GET', `/Users/${ann.id}?attributes=${name}`)
    t.strictSame(
      Object.keys(shown.body),
      ['schemas', 'id', 'meta'].filter((key) => key in shown.body),
      name,
    )
  }
  const { body: after } = await scim('GET', `/Users/${ann.id}`)
  t.notOk(JSON.stringify(after).includes('polluted'))
  t.equal(after.userName, ann.userName)
  t.equal((await scim('GET', '/Users')).body.totalResults, 1)
})
