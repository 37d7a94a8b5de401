import { type BrokenRequest, type FuzzRequest, isBroken } from './fuzz-draft.ts'
import type { FuzzSender, Reply } from './fuzz-sender.ts'
import { printedRequest, shrunkRequest } from './shrunk-request.ts'

/** A request that the service must not have answered as it did. */
export interface Fault {
  readonly request: FuzzRequest | BrokenRequest
  readonly fault: string
}

/** As many as are under way when the process ends. */
const MOST_SHOWN = 16

/** 501 says that something is not there, and is no failure. */
const isFailure = (status: number): boolean => status >= 500 && status !== 501

/** What is wrong with the answers, in words; undefined when nothing is. */
export function faultOf(request: FuzzRequest | BrokenRequest, { answers, lost }: Reply): string | undefined {
  const failed = answers.find(({ status }) => isFailure(status))
  if (failed) return `${failed.status} ${failed.body} [request ${failed.requestId}]`
  // A connection without an answer is one to these.
  if (isBroken(request) || request.method === 'CONNECT') return undefined
  if (lost !== undefined) return lost
  const [answer] = answers
  if (answer?.status !== 200 || !answer.body.includes('BulkResponse')) return undefined
  const results = (parsed(answer.body) as { Operations?: { status?: string }[] } | undefined)?.Operations
  const inner = results?.find(({ status }) => isFailure(Number(status)))
  return inner && `in bulk: ${JSON.stringify(inner)}`
}

/**
 * The faults with what the service logged of them, and each request without what it fails without.
 *
 * @param sender undefined when there is nobody any more to send smaller requests to
 */
export async function describeFaults(
  faults: readonly Fault[],
  log: readonly string[],
  sender: FuzzSender | undefined,
): Promise<string[]> {
  const texts: string[] = []
  const seen = new Set<string>()
  for (const { request, fault } of faults) {
    const [, id = ''] = /.*\[request ([^\]]+)\]/.exec(fault) ?? []
    const logged = log.find((line) => id !== '' && line.includes(id)) ?? ''
    const kind = logged === '' ? printedRequest(request) : summaryOf(logged)
    if (seen.has(kind) || seen.size === MOST_SHOWN) continue
    seen.add(kind)
    const smallest =
      isBroken(request) || !sender ? request : await shrunkRequest(request, failsAs(fault, sender))
    texts.push([fault, printedRequest(smallest), logged].join('\n'))
  }
  return texts
}

const failsAs = (fault: string, sender: FuzzSender) => async (request: FuzzRequest) =>
  faultOf(request, await sender.send(request))?.slice(0, 3) === fault.slice(0, 3)

/** What a line of the log says went wrong, and where. */
export function summaryOf(line: string): string {
  const { msg, err } = parsed(line) as { msg?: string; err?: { message?: string; stack?: string } }
  const place = /\S*src\/\S+/.exec(err?.stack ?? '')?.[0] ?? ''
  return `${msg}: ${err?.message} ${place}`
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
