export type Header = readonly [name: string, value: string]

/** A request that a client could send, before it is spelled out. */
export interface Draft {
  readonly method: string
  /** Of the URL, encoded. */
  readonly path: string
  /** `name=value`, encoded. */
  readonly query: readonly string[]
  readonly headers: readonly Header[]
  readonly body: { readonly json: unknown } | { readonly text: string } | undefined
}

export type DrawDraft = () => Draft

export const parameter = (name: string, value: string): string =>
  new URLSearchParams([[name, value]]).toString()

/** A request as it is sent: a character of its texts stands for a byte. */
export interface FuzzRequest {
  readonly method: string
  readonly target: string
  readonly headers: readonly Header[]
  readonly body: Buffer | undefined
}

/** Bytes that are no request, more than one, or perhaps one. */
export interface BrokenRequest {
  readonly what: string
  readonly bytes: Buffer
  /** The bytes end before the request does. */
  readonly isCut: boolean
}

/** The characters of a text's UTF-8, each for a byte. */
export const byteText = (text: string): string => Buffer.from(text).toString('latin1')

export const hasHeader = (headers: readonly Header[], name: string): boolean =>
  headers.some(([each]) => each.toLowerCase() === name)

/** The bytes of a request that asks for its connection to be closed. */
export function wireOf({ method, target, headers, body }: FuzzRequest): Buffer {
  const framing: Header[] = [
    ...(hasHeader(headers, 'host') ? [] : [['Host', 'localhost'] as const]),
    ...(body === undefined || hasHeader(headers, 'transfer-encoding')
      ? []
      : [['Content-Length', String(body.length)] as const]),
    ['Connection', 'close'],
  ]
  const lines = [...headers, ...framing].map(([name, value]) => `${name}: ${value}\r\n`)
  const head = Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1')
  return Buffer.concat([head, body ?? Buffer.alloc(0)])
}

export const isBroken = (request: FuzzRequest | BrokenRequest): request is BrokenRequest => 'bytes' in request
