import { readdirSync, readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import type { Test } from 'tap'

/** The format of test/fixtures/<folder>/*.json; the README beside the folders explains it. */
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
    readonly query?: Readonly<Record<string, string>>
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: unknown
    readonly repeat?: Readonly<Record<string, number>>
  }
  readonly response: {
    readonly status: number
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: unknown
    readonly absent?: readonly string[]
    readonly matches?: Readonly<Record<string, string>>
  }
}

const fixtures = new URL('../fixtures/', import.meta.url)

/** @param folder one of test/fixtures that holds exchanges */
export function loadFixtures(folder: string): Fixture[] {
  const files = new URL(`${folder}/`, fixtures)
  return readdirSync(files)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => JSON.parse(readFileSync(new URL(name, files), 'utf8')) as Fixture)
}

export type SentRequest = Omit<Exchange['request'], 'query' | 'repeat'>

export type Send = (request: SentRequest) => Promise<{
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
      const { status, body: created } = await send(filled({ method: 'POST', path, body }, answers))
      t.equal(status, 201, `a given resource of ${path} is created`)
      answers[list].push(created)
    }
  }
  for (const exchange of fixture.exchanges) {
    const request = toSend(filled(exchange.request, answers))
    const answer = await send(request)
    answers.responses.push(answer.body)
    const response = fill(exchange.response, answers)
    const what = `${request.method} ${decodeURIComponent(request.path)}`
    t.equal(answer.status, response.status, `${what}: status`)
    t.strictSame(differences(response.body ?? {}, answer.body ?? {}), [], `${what}: body`)
    t.strictSame(present(response.absent ?? [], answer.body), [], `${what}: nothing that must be absent`)
    for (const [pointer, pattern] of Object.entries(response.matches ?? {})) {
      t.match(String(at(answer.body, pointer)), new RegExp(pattern), `${what}: ${pointer}`)
    }
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

/** A request's placeholders must all stand for something: one that is sent as it is could be refused as expected. */
function filled<Request>(request: Request, answers: Answers): Request {
  const result = fill(request, answers)
  const left = /\{\{[^{}]+\}\}/.exec(JSON.stringify(result))
  if (left) throw new Error(`${left[0]} stands for nothing`)
  return result
}

/** Fills placeholders, except those for what no answer had: in an expected answer, the comparison tells. */
function fill<Value>(value: Value, answers: Answers): Value {
  if (typeof value === 'string') {
    return value.replace(/\{\{([^{}]+)\}\}/g, (placeholder, path: string) => {
      const found = at(answers, `/${path.replaceAll('.', '/')}`)
      return typeof found === 'string' ? found : placeholder
    }) as Value
  }
  if (Array.isArray(value)) return value.map((each) => fill(each, answers)) as Value
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, fill(each, answers)])) as Value
}

/** The request with its query in its path and the arrays named by `repeat` at their full length. */
function toSend({ query, repeat = {}, ...request }: Exchange['request']): SentRequest {
  for (const [pointer, times] of Object.entries(repeat)) {
    const array = at(request.body, pointer)
    if (!Array.isArray(array)) throw new Error(`${pointer} is no array of the request's body`)
    const elements = [...array]
    while (array.length < elements.length * times) array.push(...elements)
  }
  return query ? { ...request, path: `${request.path}?${new URLSearchParams(query)}` } : request
}

/** What a JSON Pointer (RFC 6901) leads to; undefined when that is nothing. */
function at(document: unknown, pointer: string): unknown {
  let value = document
  for (const name of pointer.split('/').slice(1)) {
    value = typeof value === 'object' && value !== null ? new Map(Object.entries(value)).get(name) : undefined
  }
  return value
}

/** Where an answer's body differs from the expected one, in words; empty when it does not. */
function differences(expected: unknown, actual: unknown, place = ''): string[] {
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual)) return [`${place} is no array`]
    if (actual.length !== expected.length)
      return [`${place} has ${actual.length} elements, not ${expected.length}: ${JSON.stringify(actual)}`]
    return expected.flatMap((each, index) => differences(each, actual[index], `${place}/${index}`))
  }
  if (typeof expected === 'object' && expected !== null) {
    if (typeof actual !== 'object' || actual === null) return [`${place} is no object`]
    const members = new Map(Object.entries(actual))
    return Object.entries(expected).flatMap(([name, each]) =>
      differences(each, members.get(name), `${place}/${name}`),
    )
  }
  return isDeepStrictEqual(expected, actual)
    ? []
    : [`${place} is ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`]
}

/** Those JSON Pointers that lead somewhere, against the fixture's `absent`. */
const present = (pointers: readonly string[], body: unknown): string[] =>
  pointers.filter((pointer) => at(body, pointer) !== undefined)
