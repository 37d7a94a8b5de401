import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

export interface ExportedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly name: string
  readonly attributes: Readonly<Record<string, string | number>>
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly failed: boolean
}

export interface Collector {
  /** OTEL_EXPORTER_OTLP_ENDPOINT */
  readonly url: string
  readonly spans: readonly ExportedSpan[]
  /** Of what the spans are said to come from. */
  readonly resource: Readonly<Record<string, string | number>>
  readonly headers: readonly IncomingHttpHeaders[]
  /** Everything that came in, as it came. */
  bytes(): Buffer
}

/** Takes OTLP over HTTP, in protobuf, as an OpenTelemetry collector does. */
export async function startCollector(t: Test): Promise<Collector> {
  const bodies: Buffer[] = []
  const spans: ExportedSpan[] = []
  const resource: Record<string, string | number> = {}
  const headers: IncomingHttpHeaders[] = []
  const server = createServer((request, response) => {
    void request.toArray().then((chunks) => {
      const body = Buffer.concat(chunks)
      bodies.push(body)
      headers.push(request.headers)
      if (request.url !== '/v1/traces' || request.headers['content-type'] !== 'application/x-protobuf') {
        response.writeHead(400).end()
        return
      }
      for (const resourceSpans of messages(body, 1)) {
        Object.assign(resource, ...messages(resourceSpans, 1).map((each) => attributesOf(each, 1)))
        const scopes = messages(resourceSpans, 2)
        spans.push(...scopes.flatMap((scope) => messages(scope, 2)).map(readSpan))
      }
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, spans, resource, headers, bytes: () => Buffer.concat(bodies) }
}

// The numbers are those of opentelemetry-proto's trace.proto and common.proto.

const readSpan = (span: Buffer): ExportedSpan => ({
  traceId: hex(span, 1),
  spanId: hex(span, 2),
  parentSpanId: hex(span, 4),
  name: text(span, 5),
  attributes: attributesOf(span, 9),
  links: messages(span, 13).map((link) => ({ traceId: hex(link, 1), spanId: hex(link, 2) })),
  failed: messages(span, 15).some((status) =>
    fieldsOf(status).some(({ id, value }) => id === 3 && value === 2n),
  ),
})

const attributesOf = (message: Buffer, id: number): Record<string, string | number> =>
  Object.fromEntries(messages(message, id).map((pair) => [text(pair, 1), anyValue(messages(pair, 2)[0])]))

function anyValue(message: Buffer | undefined): string | number {
  const [field] = message ? fieldsOf(message) : []
  if (field === undefined) return ''
  return typeof field.value === 'bigint' ? Number(field.value) : field.value.toString('utf8')
}

const messages = (message: Buffer, id: number): Buffer[] =>
  fieldsOf(message).flatMap((field) =>
    field.id === id && typeof field.value !== 'bigint' ? [field.value] : [],
  )

const text = (message: Buffer, id: number): string => messages(message, id)[0]?.toString('utf8') ?? ''
const hex = (message: Buffer, id: number): string => messages(message, id)[0]?.toString('hex') ?? ''

interface Field {
  readonly id: number
  readonly value: bigint | Buffer
}

/** The wire format of protobuf: a key, then a number, or a length and bytes, or fixed bytes. */
function fieldsOf(message: Buffer): Field[] {
  const fields: Field[] = []
  let at = 0
  const number = (): bigint => {
    for (let value = 0n, shift = 0n; ; shift += 7n) {
      const byte = message[at++] ?? 0
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return value
    }
  }
  const bytes = (length: number): Buffer => {
    at += length
    return message.subarray(at - length, at)
  }
  while (at < message.length) {
    const key = Number(number())
    const kind = key & 7
    const value = kind === 0 ? number() : bytes(kind === 1 ? 8 : kind === 5 ? 4 : Number(number()))
    fields.push({ id: key >> 3, value })
  }
  return fields
}
