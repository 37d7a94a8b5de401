import { STATUS_CODES } from 'node:http'
import { type Answer, type Exchange, idOf, member, resources } from './entra.ts'
import { layOut } from './lay-out.ts'
import { mark, type Paint, WIDTH } from './paint.ts'
import { BASE_PATH } from './stage.ts'

export type ExchangePrinter = (exchange: Exchange) => string[]

const INDENT = '   '
const BODY_INDENT = `${INDENT}    `

/** What tells one body of a kind from the next. */
const TELLING = ['userName', 'displayName', 'Operations']

/** Shows a body whole when it is the first of its kind. */
export function createExchangePrinter(paint: Paint): ExchangePrinter {
  const seen = new Set<string>()
  return (exchange) => {
    const { purpose, request, answer, right } = exchange
    const kind = `${request.method} ${request.path.split('/')[1]}`
    const body = request.body === undefined ? [] : bodyLines(request.body, seen.has(kind))
    seen.add(kind)
    const wrong = right ? '' : paint('red', ` (should be ${expectation(exchange)})`)
    return [
      `${INDENT}${purpose}`,
      ...requestLines(request),
      ...body.map((line) => BODY_INDENT + paint('dim', line)),
      `${INDENT}  ← ${answerText(answer)} ${mark(paint, right)}${wrong}`,
    ]
  }
}

/** A line that is too long is broken before its last parameter. */
function requestLines({ method, path }: Exchange['request']): string[] {
  const line = `${INDENT}  → ${method} ${BASE_PATH}${path}`
  const ampersand = line.lastIndexOf('&')
  if (line.length <= WIDTH || ampersand < 0) return [line]
  return [line.slice(0, ampersand), BODY_INDENT + line.slice(ampersand)]
}

function bodyLines(body: object, brief: boolean): string[] {
  const width = WIDTH - BODY_INDENT.length
  if (!brief) return layOut(body, width)
  const name = TELLING.find((each) => member(body, each) !== undefined)
  if (name === undefined) return layOut(body, width)
  const lines = layOut({ [name]: member(body, name) }, width - 3)
  return [...lines.slice(0, -1), `${lines.at(-1)?.slice(0, -1)}, …}`]
}

function expectation({ expected }: Exchange): string {
  const found = expected.found === undefined ? '' : `, ${expected.found} found`
  return expected.status.join(' or ') + found
}

/** The status and what matters of the body. */
export function answerText(answer: Answer): string {
  const { status, body } = answer
  const details = [`${status} ${STATUS_CODES[status] ?? ''}`.trimEnd()]
  const total = member(body, 'totalResults')
  const scimType = member(body, 'scimType')
  if (status >= 400) {
    details.push(...[scimType, member(body, 'detail')].filter((each) => each !== undefined).map(String))
  } else if (total !== undefined) {
    const ids = resources(answer).map((resource) => idOf(resource))
    details.push(`${total} found`, ...ids.map((id) => `id ${id}`))
  } else if (body !== undefined) {
    details.push(`id ${idOf(body)}`)
    if (member(body, 'active') !== undefined) details.push(`active ${member(body, 'active')}`)
  }
  return details.join(', ')
}
