import { readdirSync, readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import type { Test } from 'tap'

/** The format of test/fixtures/entra/*.json; its README explains it. */
export interface Fixture {
  readonly name: string
  readonly source: string
  readonly given: { readonly users: readonly unknown[]; readonly groups: readonly unknown[] }
  readonly exchanges: readonly Exchange[]
}

export interface Exchange {
  readonly request: {
    readonly method: string
    readonly path: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: unknown
  }
  readonly response: {
    readonly status: number
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: unknown
    readonly absent?: readonly string[]
  }
}

const folder = new URL('../fixtures/entra/', import.meta.url)

export const loadFixtures = (): Fixture[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Fixture)

export type Send = (request: Exchange['request']) => Promise<{
  readonly status: number
  readonly body?: unknown
  /** Absent where there is no HTTP. */
  readonly headers?: Headers
}>

/** Sends what a fixture says and compares the answers. */
export async function replay(t: Test, fixture: Fixture, send: Send): Promise<void> {
  const answers: Answers = { users: [], groups: [], responses: [] }
  for (const [list, path] of [['users', '/Users'] as const, ['groups', '/Groups'] as const]) {
    for (const body of fixture.given[list]) {
      const { status, body: created } = await send({ method: 'POST', path, body: fill(body, answers) })
      t.equal(status, 201, `a given resource of ${path} is created`)
      answers[list].push(created)
    }
  }
  for (const exchange of fixture.exchanges) {
    const { request, response } = fill(exchange, answers)
    const answer = await send(request)
    answers.responses.push(answer.body)
    const what = `${request.method} ${request.path}`
    t.equal(answer.status, response.status, `${what}: status`)
    t.strictSame(differences(response.body ?? {}, answer.body ?? {}), [], `${what}: body`)
    t.strictSame(present(response.absent ?? [], answer.body), [], `${what}: nothing that must be absent`)
    for (const [name, value] of Object.entries(answer.headers ? (response.headers ?? {}) : {})) {
      t.equal(answer.headers?.get(name), value, `${what}: ${name}`)
    }
  }
}

/** The answers so far, which placeholders refer to. */
interface Answers {
  readonly users: unknown[]
  readonly groups: unknown[]
  readonly responses: unknown[]
}

/** Fills the placeholders of a request or an expected answer. */
function fill<Value>(value: Value, answers: Answers): Value {
  return JSON.parse(
    JSON.stringify(value).replace(
      /\{\{(users|groups|responses)\.(\d+)\.id\}\}/g,
      (placeholder, list, index) => {
        const answer = answers[list as keyof Answers][Number(index)]
        const id = (answer as { id?: unknown } | undefined)?.id
        if (typeof id !== 'string') throw new Error(`${placeholder} stands for nothing`)
        return id
      },
    ),
  ) as Value
}

/** Where an answer's body differs from the expected one, in words; empty when it does not. */
function differences(expected: unknown, actual: unknown, at = ''): string[] {
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual)) return [`${at} is no array`]
    if (actual.length !== expected.length)
      return [`${at} has ${actual.length} elements, not ${expected.length}`]
    return expected.flatMap((each, index) => differences(each, actual[index], `${at}/${index}`))
  }
  if (typeof expected === 'object' && expected !== null) {
    if (typeof actual !== 'object' || actual === null) return [`${at} is no object`]
    const members = new Map(Object.entries(actual))
    return Object.entries(expected).flatMap(([name, each]) =>
      differences(each, members.get(name), `${at}/${name}`),
    )
  }
  return isDeepStrictEqual(expected, actual)
    ? []
    : [`${at} is ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`]
}

/** Those JSON Pointers that lead somewhere, against the fixture's `absent`. */
const present = (pointers: readonly string[], body: unknown): string[] =>
  pointers.filter((pointer) => {
    let value = body
    for (const name of pointer.split('/').slice(1)) {
      value =
        typeof value === 'object' && value !== null ? new Map(Object.entries(value)).get(name) : undefined
    }
    return value !== undefined
  })
