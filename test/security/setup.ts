import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Test } from 'tap'
import { createTenant } from '../../src/access/tenants.ts'
import { issueToken } from '../../src/access/tokens.ts'
import { ERROR_SCHEMA, type ScimRequest, scimClient } from '../support/scim-client.ts'
import { SCIM_TOKEN, type TestService } from '../support/service.ts'

export interface RawAnswer {
  readonly status: number
  /** In lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Sends bytes as they are and reads until the server closes; undefined when it did so without a word. */
export async function sendRaw(url: string, ...parts: readonly (string | Buffer)[]): Promise<RawAnswer[]> {
  const socket = openSocket(url)
  for (const part of parts) socket.write(part)
  return parseAnswers(await readAll(socket))
}

export function openSocket(url: string): Socket {
  const { hostname, port } = new URL(url)
  // A server that closes while it is still written to resets the connection: that is an answer too.
  return connect(Number(port), hostname).on('error', () => {})
}

export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(socket, 'close')
  return Buffer.concat(chunks)
}

/** One answer after the other, each as long as its Content-Length says. */
export function parseAnswers(bytes: Buffer): RawAnswer[] {
  const answers: RawAnswer[] = []
  let rest = bytes
  while (rest.length > 0) {
    const end = rest.indexOf('\r\n\r\n')
    const lines = rest.subarray(0, end).toString('latin1').split('\r\n')
    const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(lines[0] ?? '') ?? []
    if (end === -1 || status === undefined) throw new Error(`no answer: ${rest.toString('latin1', 0, 200)}`)
    const headers = Object.fromEntries(
      lines.slice(1).map((line) => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
      }),
    )
    const length = Number(headers['content-length'] ?? 0)
    answers.push({
      status: Number(status),
      headers,
      body: rest.toString('utf8', end + 4, end + 4 + length),
    })
    rest = rest.subarray(end + 4 + length)
  }
  return answers
}

/** The head of a request with the right token, which asks for the connection to be closed. */
export const head = (line: string, headers: Readonly<Record<string, string>> = {}): string =>
  [
    line,
    ...Object.entries({
      Host: 'localhost',
      Authorization: `Bearer ${SCIM_TOKEN}`,
      Connection: 'close',
      ...headers,
    }).map(([name, value]) => `${name}: ${value}`),
    '',
    '',
  ].join('\r\n')

/** An answer in SCIM's form (RFC 7644 §3.12) that tells nothing about the inside. */
export function isRawScimError(
  t: Test,
  answer: RawAnswer | undefined,
  status: number,
  message: string,
): void {
  t.equal(answer?.status, status, `${message}: ${answer?.body}`)
  t.equal(answer?.headers['content-type'], 'application/scim+json', `${message}: media type`)
  t.match(JSON.parse(answer?.body || '{}'), { schemas: [ERROR_SCHEMA], status: String(status) }, message)
}

/** A further tenant, and a client with a token of its own. */
export async function tenantOf(
  { database, url }: Pick<TestService, 'database' | 'url'>,
  name: string,
): Promise<{ scim: ScimRequest; token: string; tokenId: string }> {
  await createTenant(database.db, name)
  const { id: tokenId, token } = await tokenOf({ database }, name)
  return { scim: scimClient(url, token), token, tokenId }
}

export async function tokenOf({ database }: Pick<TestService, 'database'>, tenant: string) {
  const issued = await issueToken(database.db, tenant, 'test', undefined)
  if (!issued) throw new Error(`there is no tenant ${tenant}`)
  return issued
}
