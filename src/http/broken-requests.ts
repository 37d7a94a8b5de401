import { randomUUID } from 'node:crypto'
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { SCIM_MEDIA_TYPE } from './json-bodies.ts'
import { scimErrorBody } from './scim-error.ts'

/** What Node says of bytes that are no request, or do not become one in time. */
interface ClientError extends Error {
  readonly code?: string
  /** Typed otherwise than it comes: a Buffer. */
  readonly rawPacket?: unknown
}

/** Node's own, untyped: the answer that is being given on a connection. */
type AnsweringSocket = Socket & {
  readonly _httpMessage?: { readonly headersSent: boolean; readonly req?: IncomingMessage }
}

/**
 * Answers in SCIM's form what the HTTP parser refuses, then closes the connection: what follows such bytes cannot be told
 * apart from them (RFC 9112 §11.2).
 */
export function answerClientError(log: FastifyBaseLogger, error: ClientError, socket: AnsweringSocket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const { status, detail } = describe(error)
  const requestId = randomUUID()
  log.info({ reqId: requestId, status, code: error.code }, 'broken request')
  if (!socket.writable || isAnsweringAnother(socket)) {
    socket.destroy()
    return
  }
  const body = errorBytes(status, detail, requestId)
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...Object.entries(headersOf(body, requestId)).map(([name, value]) => `${name}: ${value}`),
  ]
  socket.end(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]), () => socket.destroy())
}

/** RFC 9110 §10.1.1: an expectation that is none of ours. */
export function refuseExpectations(app: FastifyInstance): void {
  app.server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const requestId = randomUUID()
    app.log.info({ reqId: requestId, status: 417 }, 'broken request')
    const body = errorBytes(417, 'only 100-continue can be expected', requestId)
    response.writeHead(417, headersOf(body, requestId)).end(body)
  })
}

function describe({ code, rawPacket }: ClientError): { status: number; detail: string } {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: 408, detail: 'the request did not arrive in time' }
    case 'HPE_HEADER_OVERFLOW':
      // Nothing tells the two apart but the end of the first line.
      return Buffer.isBuffer(rawPacket) && !rawPacket.includes('\n')
        ? { status: 414, detail: 'the URL is too long' }
        : { status: 431, detail: 'the headers are too large' }
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return { status: 413, detail: 'the chunk extensions are too large' }
    case 'HPE_INVALID_METHOD':
      return { status: 501, detail: 'there is no such method' }
    default:
      return { status: 400, detail: 'this is no HTTP request' }
  }
}

/** An answer now would be taken for that to the request before, which arrived whole and is still being worked on. */
const isAnsweringAnother = ({ _httpMessage: message }: AnsweringSocket): boolean =>
  message !== undefined && message !== null && (message.headersSent || message.req?.complete === true)

const errorBytes = (status: number, detail: string, requestId: string): Buffer =>
  Buffer.from(JSON.stringify(scimErrorBody({ status, scimType: undefined, detail, headers: {} }, requestId)))

const headersOf = (body: Buffer, requestId: string): Record<string, string> => ({
  'Content-Type': SCIM_MEDIA_TYPE,
  'Content-Length': String(body.length),
  'X-Request-Id': requestId,
  ...SECURITY_HEADERS,
  Connection: 'close',
})

/** On every answer; those of SCIM must not be kept by anybody between, either. */
export const SECURITY_HEADERS = { 'X-Content-Type-Options': 'nosniff', 'Cache-Control': 'no-store' } as const
