import { formatTable } from '../table.ts'
import { type Account, type AccountVerdict, describeChange } from './compare.ts'
import type { Dialect } from './dialects.ts'
import { addressOf, peopleIn } from './flows.ts'
import { mark, type Paint, WIDTH } from './paint.ts'
import type { PlayedFlow, PlayedStep } from './play.ts'
import { createExchangePrinter, type ExchangePrinter } from './print-exchange.ts'

/** The demonstration as text for a person who sees it the first time, piece by piece. */
export interface Printer {
  introduction(): string
  dialect(dialect: Dialect): string
  flow(played: PlayedFlow): string
  summary(played: readonly PlayedFlow[]): string
}

export function createPrinter(paint: Paint): Printer {
  let exchanges = createExchangePrinter(paint)
  return {
    introduction: () => introduction(paint),
    dialect(dialect) {
      exchanges = createExchangePrinter(paint)
      return dialectHeading(paint, dialect)
    },
    flow: (played) => flow(paint, exchanges, played),
    summary: (played) => summary(paint, played),
  }
}

const introduction = (paint: Paint) =>
  text([
    paint('bold', 'What Microsoft Entra ID sends, and what Campaign Manager shows then'),
    '',
    ...wrap(
      'An administrator gives people access to Campaign Manager by groups in Entra: a group stands for the role of the ' +
        'same name. This plays the seven things that can happen, as Entra does them, in both of its dialects, against ' +
        'the real service with a database and a Campaign Manager sandbox of its own; all of it is removed at the end.',
    ),
    '',
    '  →  what Entra sends. The first body of a kind is shown whole, later ones only where they differ.',
    '  ←  what the service answers, which is before Campaign Manager has heard of it',
    '  ✓  as it should be    ✗  not as it should be',
    '',
    ...wrap(
      'The tables are read from Campaign Manager itself, once the service has brought it up to date. The flows have the ' +
        'numbers of the specification, and come in the order in which an administrator meets them.',
    ),
  ])

const dialectHeading = (paint: Paint, { name, tenantUrl, manner }: Dialect) =>
  text([
    '',
    paint('bold', '═'.repeat(WIDTH)),
    paint('bold', `Dialect: ${name}`),
    '',
    ...wrap(`Entra speaks it when the Tenant URL is ${tenantUrl}. ${manner} Everything starts anew.`),
  ])

function flow(paint: Paint, exchanges: ExchangePrinter, { flow, dialect, steps, right }: PlayedFlow): string {
  const heading = `── Flow ${flow.number}: ${flow.title} `
  return text([
    '',
    paint('bold', heading.padEnd(WIDTH, '─')),
    '',
    ...wrap(`The administrator ${flow.administrator}`),
    ...wrap(`What should happen: ${flow.outcome}`),
    ...steps.flatMap((each, index) => [
      '',
      ...wrap(`${index + 1}. ${each.step.what}`),
      '',
      ...each.exchanges.flatMap(exchanges),
      '',
      ...stepOutcome(paint, each),
    ]),
    '',
    `${mark(paint, right)} Flow ${flow.number}, dialect ${dialect}: ${right ? 'right' : 'wrong'}`,
  ])
}

const NONE = '-'
const shown = (account: Account | undefined) =>
  account === undefined ? NONE : `${account.roles.join(', ')}${account.enabled ? '' : ' (disabled)'}`

/** The accounts of those whom the step names, and all that changed or are wrong; the others are counted. */
function stepOutcome(paint: Paint, { step, caughtUp, verdicts }: PlayedStep): string[] {
  const named = new Set(step.sends.flatMap(peopleIn).map(addressOf))
  const telling = verdicts.filter(
    (verdict) => named.has(verdict.address) || describeChange(verdict) !== '' || !verdict.right,
  )
  const others = verdicts.length - telling.length
  return [
    ...(caughtUp
      ? []
      : [`   ${mark(paint, false)} The service has not brought Campaign Manager up to date.`]),
    ...(telling.length === 0 ? [] : accountTable(paint, telling)),
    ...(others === 0 && telling.length > 0
      ? []
      : [`   ${mark(paint, true)} ${unchanged(others, telling.length)}`]),
  ]
}

function unchanged(others: number, told: number): string {
  if (others === 0) return 'no accounts, before and after'
  return `${others}${told > 0 ? ' more' : ''} ${others === 1 ? 'account' : 'accounts'}, unchanged`
}

/** A line for every account, and one more for each that is wrong. */
function accountTable(paint: Paint, verdicts: readonly AccountVerdict[]): string[] {
  const table = formatTable(
    ['  ACCOUNT', 'ROLES BEFORE', 'ROLES AFTER', 'CHANGE'],
    verdicts.map((verdict) => [
      `${verdict.right ? '✓' : '✗'} ${verdict.address}`,
      shown(verdict.before),
      shown(verdict.after),
      describeChange(verdict) || 'none',
    ]),
  )
  const [heading = '', ...rows] = table.trimEnd().split('\n')
  return [
    `   ${paint('dim', heading)}`,
    ...verdicts.flatMap(({ right, expected }, index) => [
      `   ${mark(paint, right)}${(rows[index] ?? '').slice(1)}`,
      ...(right
        ? []
        : [`     ${paint('red', `should be: ${expected === undefined ? 'no account' : shown(expected)}`)}`]),
    ]),
  ]
}

function summary(paint: Paint, played: readonly PlayedFlow[]): string {
  const names = [...new Set(played.map(({ dialect }) => dialect))]
  const numbers = [...new Set(played.map(({ flow }) => flow.number))].sort((a, b) => a - b)
  const find = (number: number, name: string) =>
    played.find(({ flow, dialect }) => flow.number === number && dialect === name)
  const table = formatTable(
    ['FLOW', '', ...names],
    numbers.map((number) => [
      String(number),
      played.find(({ flow }) => flow.number === number)?.flow.title ?? '',
      ...names.map((name) => (find(number, name)?.right ? '✓ right' : '✗ wrong')),
    ]),
  )
  const wrong = played.filter(({ right }) => !right).length
  const verdict =
    wrong === 0
      ? `All ${played.length} outcomes are as they should be.`
      : `${wrong} of ${played.length} outcomes are not as they should be.`
  return text([
    '',
    paint('bold', '═'.repeat(WIDTH)),
    paint('bold', 'Summary'),
    '',
    ...table
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(/✓ right/g, paint('green', '$&')).replace(/✗ wrong/g, paint('red', '$&'))),
    '',
    `${mark(paint, wrong === 0)} ${verdict}`,
  ])
}

const text = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join('')

function wrap(paragraph: string): string[] {
  const lines = ['']
  for (const word of paragraph.split(' ')) {
    const last = lines.at(-1) ?? ''
    if (last === '') lines.splice(-1, 1, word)
    else if (last.length + 1 + word.length <= WIDTH) lines.splice(-1, 1, `${last} ${word}`)
    else lines.push(word)
  }
  return lines
}
