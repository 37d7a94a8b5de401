import { pickOf, type Random } from './figures.ts'
import { type BrokenRequest, type FuzzRequest, hasHeader, wireOf } from './fuzz-draft.ts'

/** What the bytes become, and whether they then end before the request does. */
type Break = (random: Random, bytes: Buffer, request: FuzzRequest) => readonly [bytes: Buffer, isCut: boolean]

/** What no client library sends: the same request with its framing broken. */
export function breakFraming(random: Random, request: FuzzRequest): BrokenRequest {
  const [what, change] = pickOf(random, breaks)
  const [bytes, isCut] = change(random, wireOf(request), request)
  return { what, bytes, isCut }
}

const endOfHead = (bytes: Buffer): number => bytes.indexOf('\r\n\r\n')

function withHead(bytes: Buffer, change: (head: string) => string): Buffer {
  const end = endOfHead(bytes)
  const head = change(bytes.toString('latin1', 0, end))
  return Buffer.concat([Buffer.from(head, 'latin1'), bytes.subarray(end)])
}

const withLines =
  (...lines: readonly string[]): Break =>
  (_random, bytes) => [withHead(bytes, (head) => [head, ...lines].join('\r\n')), false]

const firstLine =
  (change: (line: string) => string): Break =>
  (_random, bytes) => [withHead(bytes, (head) => head.replace(/^.*/, change)), false]

const fixed =
  (text: string): Break =>
  () => [Buffer.from(text, 'latin1'), false]

/** The body in chunks, which are not as they are said to be. */
const chunked =
  (print: (body: Buffer) => string, isCut = false): Break =>
  (_random, _bytes, { headers, body, ...request }) => [
    Buffer.concat([
      wireOf({
        ...request,
        headers: [
          ...(hasHeader(headers, 'transfer-encoding')
            ? headers.filter(([name]) => !/^transfer/i.test(name))
            : headers),
          ['Transfer-Encoding', 'chunked'],
        ],
        body: undefined,
      }),
      Buffer.from(print(body ?? Buffer.from('{}')), 'latin1'),
    ]),
    isCut,
  ]

const chunk = (body: Buffer, size = body.length.toString(16)): string =>
  `${size}\r\n${body.toString('latin1')}\r\n`
const END = '0\r\n\r\n'

const breaks: readonly (readonly [what: string, change: Break])[] = [
  ['cut off', (random, bytes) => [bytes.subarray(0, random(bytes.length)), true]],
  ['cut off in its head', (random, bytes) => [bytes.subarray(0, random(endOfHead(bytes))), true]],
  [
    'bytes of its head changed',
    (random, bytes) => {
      const changed = Buffer.from(bytes)
      for (let n = 1 + random(3); n > 0; n -= 1) changed[random(endOfHead(bytes))] = random(256)
      return [changed, false]
    },
  ],
  ['two lengths', withLines('Content-Length: 1', 'Content-Length: 2')],
  ['two lengths in one', withLines('Content-Length: 5, 5')],
  ['a length of less than nothing', withLines('Content-Length: -1')],
  ['a length beyond numbers', withLines('Content-Length: 99999999999999999999')],
  [
    'longer than it is',
    (_random, bytes) => [withHead(bytes, (head) => head.replace(/(Content-Length: \d+)/, '$19')), true],
  ],
  [
    'shorter than it is',
    (_random, bytes) => [
      withHead(bytes, (head) => head.replace(/Content-Length: \d+/, 'Content-Length: 1')),
      false,
    ],
  ],
  ['length and chunks', withLines('Transfer-Encoding: chunked')],
  ['an encoding nobody knows', withLines('Transfer-Encoding: gzip, x')],
  ['chunks that are right', chunked((body) => chunk(body) + END)],
  ['chunks with extensions', chunked((body) => chunk(body, `${body.length.toString(16)};a="b"`) + END)],
  ['chunks with trailers', chunked((body) => `${chunk(body)}0\r\nContent-Length: 3\r\nX: y\r\n\r\n`)],
  ['a chunk of no size', chunked(() => `zz\r\n${END}`)],
  ['a chunk that is too long', chunked((body) => chunk(body, 'fffffffffffffffff') + END)],
  ['a chunk that is too short', chunked((body) => chunk(body, '1') + END)],
  ['chunks without an end', chunked((body) => chunk(body), true)],
  ['bare line feeds', (_random, bytes) => [withHead(bytes, (head) => head.replaceAll('\r\n', '\n')), false]],
  [
    'bare carriage returns',
    (_random, bytes) => [withHead(bytes, (head) => head.replaceAll('\r\n', '\r')), false],
  ],
  ['a header without a name', withLines(': x')],
  ['a header without a colon', withLines('Header')],
  ['a space before the colon', withLines('Host : x')],
  ['a folded header', withLines('A: b', ' c')],
  ['NUL in a header', withLines('A: \0')],
  ['NUL in a name', withLines('A\0: b')],
  ['a header that is too large', withLines(`A: ${'x'.repeat(40_000)}`)],
  ['thousands of headers', withLines(...Array.from({ length: 2500 }, (_, index) => `a${index}: b`))],
  ['a second host', withLines('Host: a', 'Host: b')],
  ['a second credential', withLines('Authorization: Bearer x')],
  [
    'without a host',
    (_random, bytes) => [withHead(bytes, (head) => head.replace(/\r\nHost: .*/i, '')), false],
  ],
  ['a URL that is too long', firstLine((line) => line.replace(' HTTP', `?${'x'.repeat(40_000)} HTTP`))],
  ['a space in the URL', firstLine((line) => line.replace('/', '/ /'))],
  ['NUL in the URL', firstLine((line) => line.replace('/', '/\0'))],
  ['HTTP/1.0', firstLine((line) => line.replace('HTTP/1.1', 'HTTP/1.0'))],
  ['HTTP/0.9', firstLine((line) => line.replace(' HTTP/1.1', ''))],
  ['HTTP/2.0', firstLine((line) => line.replace('HTTP/1.1', 'HTTP/2.0'))],
  ['an authority as its target', firstLine((line) => line.replace(/ .* /, ' example.com:443 '))],
  ['the preface of HTTP/2', fixed('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0')],
  ['the beginning of TLS', fixed('\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03')],
  ['asterisk', fixed('OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')],
  ['bytes', (random) => [Buffer.from(Array.from({ length: 1 + random(300) }, () => random(256))), false]],
  [
    'two at once',
    (_random, bytes) => [
      Buffer.concat([withHead(bytes, (head) => head.replace('Connection: close', 'X: y')), bytes]),
      false,
    ],
  ],
]
