import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createTenant } from '../../src/access/tenants.ts'
import { issueToken } from '../../src/access/tokens.ts'
import { type Answer, type ScimRequest, scimClient } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'

interface Fixture {
  readonly name: string
  readonly source: string
  readonly given: { readonly users: readonly object[]; readonly groups: readonly object[] }
  readonly exchanges: readonly {
    readonly request: {
      readonly method: string
      readonly path: string
      readonly headers?: Record<string, string>
      readonly body?: unknown
    }
    readonly response: {
      readonly status: number
      readonly headers?: Record<string, string>
      readonly body?: unknown
      readonly absent?: readonly string[]
    }
  }[]
}

const folder = join(import.meta.dirname, '../fixtures/entra')

t.test('exchanges with Entra, over HTTP', async (t) => {
  const service = await startTestService(t)
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
    const fixture: Fixture = JSON.parse(readFileSync(join(folder, file), 'utf8'))
    t.equal(`${fixture.name}.json`, file, 'a fixture has the name of its file')
    // A tenant of its own keeps each fixture's directory apart.
    await createTenant(service.database.db, fixture.name)
    const issued = await issueToken(service.database.db, fixture.name, 'fixture', undefined)
    await t.test(`${fixture.name} (${fixture.source})`, (t) =>
      replay(t, fixture, scimClient(service.url, issued?.token ?? '')),
    )
  }
})

async function replay(t: Test, { given, exchanges }: Fixture, scim: ScimRequest): Promise<void> {
  const ids = new Map<string, string>()
  const filled = <T>(template: T): T =>
    JSON.parse(
      JSON.stringify(template ?? null).replace(/\{\{([\w.]+)\}\}/g, (_, name) => ids.get(name) ?? name),
    )
  for (const [kind, bodies] of Object.entries(given)) {
    for (const [index, body] of bodies.entries()) {
      const path = kind === 'users' ? '/Users' : '/Groups'
      const created = await scim('POST', path, filled(body))
      t.equal(created.status, 201, `given ${kind}.${index}`)
      ids.set(`${kind}.${index}.id`, created.body?.id)
    }
  }
  for (const [index, { request, response }] of exchanges.entries()) {
    const body = request.body === undefined ? undefined : filled(request.body)
    const answer = await scim(request.method, filled(request.path), body, request.headers)
    ids.set(`responses.${index}.id`, answer.body?.id)
    compare(t, `${request.method} ${request.path}`, answer, { ...response, body: filled(response.body) })
  }
}

function compare(
  t: Test,
  name: string,
  answer: Answer,
  expected: Fixture['exchanges'][number]['response'],
): void {
  t.equal(answer.status, expected.status, `${name}: status`)
  for (const [header, value] of Object.entries(expected.headers ?? {})) {
    t.equal(answer.headers.get(header), value, `${name}: ${header}`)
  }
  if (expected.body)
    t.ok(includes(answer.body, expected.body), name, { found: answer.body, wanted: expected.body })
  for (const pointer of expected.absent ?? [])
    t.equal(at(answer.body, pointer), undefined, `${name}: no ${pointer}`)
}

/** Of an object at least the members wanted, of an array exactly the elements wanted. */
function includes(found: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(found) &&
      found.length === wanted.length &&
      wanted.every((each, index) => includes(found[index], each))
    )
  }
  if (typeof wanted !== 'object' || wanted === null) return found === wanted
  if (typeof found !== 'object' || found === null) return false
  return Object.entries(wanted).every(([name, value]) =>
    includes((found as Record<string, unknown>)[name], value),
  )
}

/** RFC 6901. */
const at = (document: unknown, pointer: string): unknown =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>((value, part) => (value as Record<string, unknown> | undefined)?.[part], document)
