import { breakFraming } from './broken-framing.ts'
import { pickOf, type Random } from './figures.ts'
import {
  type BrokenRequest,
  byteText,
  type Draft,
  type DrawDraft,
  type FuzzRequest,
  type Header,
  hasHeader,
  parameter,
} from './fuzz-draft.ts'
import { forgedJwt } from './fuzz-oauth.ts'
import { contentTypes, etags, methods, oddHeaders, oddPaths } from './hostile-requests.ts'
import { hostileTexts } from './hostile-values.ts'
import { insertMember, mutateJson, printJson } from './mutated-json.ts'

export interface RequestSources {
  /** By their share, a draft of each. */
  readonly drafts: readonly (readonly [weight: number, draw: DrawDraft])[]
  /** Bearer tokens that may write. */
  readonly tokens: readonly string[]
  /** Of JWTs that are no credential. */
  readonly claims: object
}

/** Where the service's own limits are: bodies a little smaller and larger. */
const LARGE_BODIES = [1_048_570, 1_048_580, 8 * 1024 * 1024 - 100, 8 * 1024 * 1024 + 100]
const BROKEN_IN_100 = 4
const LARGE_IN_10_000 = 4

/** The next request: one that a client could send, changed in no place, one, two or three. */
export function nextRequest(random: Random, sources: RequestSources): FuzzRequest | BrokenRequest {
  let draft = weighted(random, sources.drafts)()
  const changes = pickOf(random, [0, 0, 1, 1, 1, 1, 2, 2, 3])
  for (let n = 0; n < changes; n += 1) draft = weighted(random, mutators)(random, draft, sources)
  const request = printed(random, draft, sources)
  return random(100) < BROKEN_IN_100 ? breakFraming(random, request) : request
}

type Mutate = (random: Random, draft: Draft, sources: RequestSources) => Draft

const withHeader = (draft: Draft, ...header: Header): Draft => ({
  ...draft,
  headers: [...draft.headers, header],
})

const mutateBody: Mutate = (random, draft) => {
  const { body } = draft
  if (body === undefined) return mutateQuery(random, draft)
  if ('text' in body) return { ...draft, body: { text: mutatedText(random, body.text) } }
  return { ...draft, body: { json: mutateJson(random, body.json) } }
}

/** Of the JSON as a text: members twice, members of prototypes, and characters anywhere. */
const mutateBodyText: Mutate = (random, draft) => {
  const { body } = draft
  if (body === undefined) return mutatePath(random, draft)
  const text = 'text' in body ? body.text : printJson(body.json)
  return {
    ...draft,
    body: { text: random(2) === 0 ? insertMember(random, text) : mutatedText(random, text) },
  }
}

function mutateQuery(random: Random, draft: Draft): Draft {
  const { query } = draft
  const odd = () => parameter(pickOf(random, PARAMETERS), pickOf(random, hostileTexts))
  if (query.length === 0) return { ...draft, query: [odd()] }
  const place = random(query.length + 1)
  const [name = 'filter', value = ''] = (query[place] ?? '').split('=')
  const changed = pickOf(random, [
    () => [...query, pickOf(random, query)],
    () => [...query, odd()],
    () =>
      query.with(Math.max(0, place - 1), pickOf(random, ['%', '%zz=1', 'x=%ff', '%00', '=', '&&', 'a[b]=c'])),
    () => [...query.slice(0, place), `${name}=${mutatedText(random, value)}`, ...query.slice(place + 1)],
    () => [...query.slice(0, place), `${name.toUpperCase()}=${value}`, ...query.slice(place + 1)],
    () => [...query, 'aadOptscim062020'],
    () => [...query, ...Array.from({ length: random(36) }, (_, index) => `p${index}=x`)],
  ])
  return { ...draft, query: changed() }
}

function mutatePath(random: Random, draft: Draft): Draft {
  const changed = pickOf(random, [
    () => pickOf(random, oddPaths),
    () => mutatedText(random, draft.path),
    () => `${draft.path}/`,
    () => `${draft.path}${encodeURIComponent(pickOf(random, hostileTexts).toWellFormed())}`,
    () => draft.path.replace('/', '//'),
    () => draft.path.replace(/[\w-]{36}/, (id) => id.toUpperCase()),
    () => draft.path.replace(/[^/]+$/, (last) => encodeURIComponent(`${last}\0`)),
    () => `http://example.com${draft.path}`,
  ])
  return { ...draft, path: changed() }
}

const mutators: readonly (readonly [weight: number, mutate: Mutate])[] = [
  [10, mutateBody],
  [4, mutateBodyText],
  [4, mutateQuery],
  [2, mutatePath],
  [2, (random, draft) => withHeader(draft, ...pickOf(random, oddHeaders))],
  [1, (random, draft) => withHeader(draft, 'Content-Type', pickOf(random, contentTypes))],
  [1, (random, draft) => withHeader(draft, 'If-Match', byteText(pickOf(random, etags)))],
  [1, (random, draft) => withHeader(draft, 'If-None-Match', byteText(pickOf(random, etags)))],
  [1, (random, draft) => ({ ...draft, method: pickOf(random, methods) })],
  [1, (random, draft, sources) => withHeader(draft, 'Authorization', wrongCredential(random, sources))],
]

const PARAMETERS = [
  'filter',
  'sortBy',
  'sortOrder',
  'count',
  'startIndex',
  'cursor',
  'attributes',
  '__proto__',
]

function wrongCredential(random: Random, { tokens, claims }: RequestSources): string {
  const token = tokens.length === 0 ? '' : pickOf(random, tokens)
  return byteText(
    pickOf(random, [
      () => '',
      () => 'Bearer',
      () => 'Bearer undefined',
      () => `Bearer ${token.slice(1)}`,
      () => `Bearer ${token}, Bearer ${token}`,
      () => `bearer  ${token}`,
      () => `Basic ${Buffer.from(`x:${token}`).toString('base64')}`,
      () => `Digest username="${'x'.repeat(2000)}"`,
      () => `Bearer ${forgedJwt(random, claims)}`,
      () => `Bearer scim_${'x'.repeat(43)}`,
      () => `Bearer ${pickOf(random, hostileTexts).replaceAll(/[\0\r\n]/g, '')}`,
    ])(),
  )
}

/** Characters taken out of a text, put into it and changed in it; or all from one on taken away. */
function mutatedText(random: Random, text: string): string {
  const at = random(text.length + 1)
  return pickOf(random, [
    () => text.slice(0, at),
    () => text.slice(0, at) + text.slice(at + 1 + random(4)),
    () => text.slice(0, at) + pickOf(random, hostileTexts) + text.slice(at),
    () => text.slice(0, at) + String.fromCodePoint(random(0x300)) + text.slice(at + 1),
    () => text.slice(0, at) + text.slice(random(text.length + 1)),
  ])()
}

function printed(random: Random, draft: Draft, { tokens }: RequestSources): FuzzRequest {
  const { method, path, query, body } = draft
  const needsToken = path.includes('/scim/') && !hasHeader(draft.headers, 'authorization')
  const headers: Header[] = [
    ...draft.headers,
    // The address that refused credentials are counted for: of one, most would be refused unread.
    ...(hasHeader(draft.headers, 'x-forwarded-for')
      ? []
      : [['X-Forwarded-For', `10.0.${random(16)}.${random(256)}`] as const]),
    ...(needsToken ? [['Authorization', `Bearer ${pickOf(random, tokens)}`] as const] : []),
    ...(body === undefined || hasHeader(draft.headers, 'content-type')
      ? []
      : [['Content-Type', 'application/scim+json'] as const]),
  ]
  const target = `${path}${query.length === 0 ? '' : `?${query.join('&')}`}`
  return { method, target: byteText(target), headers, body: body && bytesOf(random, body) }
}

function bytesOf(random: Random, body: NonNullable<Draft['body']>): Buffer {
  const bytes = Buffer.from('text' in body ? body.text : printJson(body.json))
  if (random(10_000) < LARGE_IN_10_000) {
    return Buffer.concat([bytes], Math.max(bytes.length, pickOf(random, LARGE_BODIES))).fill(
      ' ',
      bytes.length,
    )
  }
  if (random(40) !== 0) return bytes
  const changed = Buffer.from(bytes)
  for (let n = 1 + random(3); n > 0 && changed.length > 0; n -= 1)
    changed[random(changed.length)] = random(256)
  return changed
}

function weighted<Item>(random: Random, items: readonly (readonly [weight: number, item: Item])[]): Item {
  let left = random(items.reduce((sum, [weight]) => sum + weight, 0))
  for (const [weight, item] of items) {
    left -= weight
    if (left < 0) return item
  }
  throw new Error('there is nothing to choose from')
}
