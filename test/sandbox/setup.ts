import type { Test } from 'tap'
import { createSandbox, type SandboxOptions } from '../../src/sandbox/server.ts'

export type Answered = {
  status: number
  etag: string | null
  headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: a test asserts what came, whatever it is
  body: any
}

/** A sandbox that listens, and the way to ask it; closed when the test ends. */
export async function setup(t: Test, options: Partial<SandboxOptions> = {}) {
  let millis = Date.parse('2026-11-01T08:00:00.000Z')
  const sandbox = createSandbox({ now: () => new Date(millis++), ...options })
  t.teardown(() => sandbox.close())
  const base = await sandbox.listen({ host: '127.0.0.1', port: 0 })
  const root = base.slice(0, -'/api/v1'.length)

  async function ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const url = path.startsWith('/_sandbox') || path === '/' ? root + path : base + path
    const response = await fetch(url, {
      method,
      redirect: 'manual',
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const json = response.headers.get('content-type')?.startsWith('application/json') === true
    return {
      status: response.status,
      etag: response.headers.get('etag'),
      headers: response.headers,
      body: json ? JSON.parse(text) : text,
    } satisfies Answered
  }

  return { sandbox, state: sandbox.state, base, root, ask }
}

/** Asserts the contract's shape of an error. */
export function refused(t: Test, answer: Answered, status: number, code: string, message: RegExp): void {
  t.equal(answer.status, status)
  t.match(answer.headers.get('content-type'), /^application\/json/)
  t.strictSame(Object.keys(answer.body), ['error'])
  t.match(answer.body.error, { code, message, requestId: String })
}
