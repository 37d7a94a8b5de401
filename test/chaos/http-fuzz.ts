import type { Test } from 'tap'
import { addMembers, groupBody, setActive, userBody } from '../support/scim-client.ts'
import { chaosSeed, printFigures, type Random, randomOf, seconds, Tally } from './figures.ts'
import { FuzzDirectory } from './fuzz-directory.ts'
import { type BrokenRequest, type FuzzRequest, isBroken } from './fuzz-draft.ts'
import { describeFaults, type Fault, faultOf, parsed, summaryOf } from './fuzz-faults.ts'
import { type MemorySample, sampleMemory, unexpectedOutput } from './fuzz-memory.ts'
import { oauthDraftsOf } from './fuzz-oauth.ts'
import { draftsOf } from './fuzz-requests.ts'
import { createFuzzSender, type FuzzSender } from './fuzz-sender.ts'
import { type FuzzedService, startFuzzedService } from './fuzzed-service.ts'
import { nextRequest, type RequestSources } from './mutated-requests.ts'

export interface FuzzSize {
  readonly requests: number
  /** Sent before memory is first looked at: caches fill and code is compiled. */
  readonly warmUp: number
  /** How often memory is looked at after that; the last time, after them all. */
  readonly samples: number
  /** Requests under way at a time. */
  readonly atOnce: number
}

interface Run {
  readonly service: FuzzedService
  readonly sender: FuzzSender
  readonly directory: FuzzDirectory
  readonly statuses: Tally
  /** Answers to those writes that came with a right credential. */
  readonly writes: Tally
  readonly faults: Fault[]
  readonly next: () => FuzzRequest | BrokenRequest
  /** The process has ended, or so much has failed that more tells nothing. */
  readonly isOver: () => boolean
}

const MOST_FAULTS = 30
/** What is refused at the door says nothing about what is behind it. */
const LEAST_2XX = 0.3
const LEAST_WRITTEN = 0.3
/**
 * In MiB. Compiled code and the addresses whose failures are counted take some; were a request, its body or its log entry kept
 * of each, 100,000 of them would take a hundred at the least.
 */
const REACHABLE_GROWTH = 16
/** Beside what is reachable: garbage that waits, the largest bodies' above all, and room that the allocator keeps. */
const RESIDENT_GROWTH = 250

/** Requests of every kind, most of them changed, against the running service, which must not fail at any. */
export async function httpFuzz(t: Test, size: FuzzSize): Promise<void> {
  const seed = chaosSeed(t)
  const service = await startFuzzedService(t)
  const { process } = service
  const sender = createFuzzSender(t, process.url, size.atOnce)
  const run = startRun(service, sender, seed)
  const sample = sampleMemory(process)
  const samples: MemorySample[] = []
  const began = performance.now()
  await sendAll(run, size.warmUp, size.atOnce)
  for (let part = 1; part <= size.samples && !run.isOver(); part += 1) {
    samples.push(await sample())
    await service.renewAccessToken()
    await sendAll(run, Math.ceil((size.requests - size.warmUp) / size.samples), size.atOnce)
  }
  const took = performance.now() - began
  const hasEnded = process.child.exitCode !== null || process.child.signalCode !== null
  if (!hasEnded) samples.push(await sample())
  const { statuses, writes, faults } = run
  printFigures(t, {
    requests: statuses.total,
    answers: statuses,
    'answers to writes with a right credential': writes,
    'share of 2xx, of writes': `${succeeded(statuses).toFixed(3)}, ${succeeded(writes).toFixed(3)}`,
    'on a connection of their own': sender.bySocket,
    'errors in the log': service.errors,
    'reachable memory': `${samples.map(({ reachable }) => reachable.toFixed(1)).join(', ')} MiB`,
    'resident memory': `${samples.map(({ resident }) => resident).join(', ')} MiB`,
    time: seconds(took),
  })
  const logged = [...new Set(service.lastErrors.map(summaryOf))]
  const described = await describeFaults(faults, service.lastErrors, hasEnded ? undefined : sender)
  for (const fault of described) t.comment(fault)
  t.equal(faults.length, 0, 'no request fails the service')
  t.same(logged, [], 'and none makes it log an error')
  t.ok(succeeded(statuses) > LEAST_2XX, 'many requests succeed')
  t.ok(succeeded(writes) > LEAST_WRITTEN, 'and many writes')
  const [before, after] = [samples[0], samples.at(-1)]
  const grown = (of: keyof MemorySample) => (after?.[of] ?? 0) - (before?.[of] ?? 0)
  t.ok(grown('reachable') < REACHABLE_GROWTH, 'nothing is kept of requests')
  t.ok(grown('resident') < RESIDENT_GROWTH, 'the process does not grow')
  if (!hasEnded) await worksStill(t, process)
  process.child.kill('SIGTERM')
  const { status, stderr } = await process.ended
  t.equal(status, 0, 'it has been running all the time, and stops when asked to')
  t.equal(unexpectedOutput(stderr), '', 'and has said nothing')
}

const succeeded = (tally: Tally): number =>
  [200, 201, 204].reduce((sum, status) => sum + tally.of(status), 0) / tally.total

function startRun(service: FuzzedService, sender: FuzzSender, seed: number): Run {
  // A stream of its own for each request, so that the seed repeats it whatever those before were answered with.
  let begun = 0
  let ofRequest = randomOf(seed)
  const random: Random = (below) => ofRequest(below)
  const directory = new FuzzDirectory(random, randomOf(seed))
  const drafts = draftsOf(service.types, random, directory, seed)
  const sources: RequestSources = {
    drafts: [
      [48, drafts.ofFixture],
      [19, drafts.ofResource],
      [17, drafts.ofList],
      [5, drafts.ofBulk],
      [5, drafts.ofDescription],
      [6, oauthDraftsOf(random, service.oauth)],
    ],
    tokens: service.tokens,
    claims: service.oauth.claims,
  }
  const faults: Fault[] = []
  const { child } = service.process
  return {
    ...{ service, sender, directory, faults, statuses: new Tally(), writes: new Tally() },
    next() {
      begun += 1
      ofRequest = randomOf(seed * 1_000_003 + begun)
      return nextRequest(random, sources)
    },
    isOver: () => faults.length >= MOST_FAULTS || child.exitCode !== null || child.signalCode !== null,
  }
}

async function sendAll(run: Run, count: number, atOnce: number): Promise<void> {
  let left = count
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (left > 0 && !run.isOver()) {
        left -= 1
        await sendOne(run)
      }
    }),
  )
}

async function sendOne({ next, sender, statuses, writes, faults, directory, service }: Run): Promise<void> {
  const request = next()
  const reply = await sender.send(request)
  const fault = faultOf(request, reply)
  if (fault !== undefined) faults.push({ request, fault })
  const [answer] = reply.answers
  statuses.add(answer?.status ?? 'none')
  if (isBroken(request) || answer === undefined) return
  const { method, target, headers, body } = request
  directory.learn(method, target, answer.status, parsed(answer.body))
  const isAllowed = service.tokens.some((token) =>
    headers.some(([name, value]) => name === 'Authorization' && value === `Bearer ${token}`),
  )
  if (isAllowed && (body !== undefined || method === 'DELETE')) writes.add(answer.status)
}

async function worksStill(t: Test, { scim }: FuzzedService['process']): Promise<void> {
  const user = await scim('POST', '/Users', userBody('after-fuzz'))
  const group = await scim('POST', '/Groups', groupBody('After the requests'))
  const [userPath, groupPath] = [`/Users/${user.body?.id}`, `/Groups/${group.body?.id}`]
  const answers = [
    user,
    group,
    await scim('PATCH', userPath, setActive(false)),
    await scim('PATCH', groupPath, addMembers(user.body?.id)),
    await scim('GET', userPath),
    await scim('GET', groupPath),
    await scim('DELETE', userPath),
    await scim('DELETE', groupPath),
    await scim('GET', userPath),
    await scim('GET', groupPath),
  ]
  t.same(
    answers.map(({ status }) => status),
    [201, 201, 200, 204, 200, 200, 204, 204, 404, 404],
    'a user and a group are created, changed, read and deleted as ever',
  )
  t.match(answers[4]?.body, { active: false, groups: [{ value: group.body?.id }] }, 'the user as changed')
  t.match(answers[5]?.body, { members: [{ value: user.body?.id }] }, 'the group with its member')
}
