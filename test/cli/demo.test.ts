import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Accounts, compareAccounts, expectAccounts } from '../../src/cli/demo/compare.ts'
import { dialects } from '../../src/cli/demo/dialects.ts'
import { type Flow, flows } from '../../src/cli/demo/flows.ts'
import { layOut } from '../../src/cli/demo/lay-out.ts'
import { createPaint } from '../../src/cli/demo/paint.ts'
import { exitStatus, type PlayedFlow, playFlows } from '../../src/cli/demo/play.ts'
import { createPrinter } from '../../src/cli/demo/print.ts'
import { callCommand, runCommand, startCommand } from '../support/command.ts'
import { startTestService } from '../support/service.ts'

/** What would break the demonstration, or show in it, if it used the settings of whoever runs it. */
const foreignSettings = {
  PORT: 'none',
  SCIM_TOKEN: 'short',
  DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
  CAMPAIGN_MANAGER_URL: 'http://127.0.0.1:1',
  ON_DEACTIVATE: 'suspend',
  PLACEHOLDER_ROLE: 'Analyst',
  NODE_ENV: 'production',
}

/** A temporary folder that Postgres can enter when the tests run as root. */
async function openFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'demo-test-'))
  await chmod(folder, 0o755)
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

t.test('--json: every flow comes out right in both dialects, and nothing is left behind', async (t) => {
  const TMPDIR = await openFolder(t)
  const { status, stdout, stderr } = await runCommand(t, ['demo', '--json'], { ...foreignSettings, TMPDIR })
  t.equal(stderr, '')
  t.equal(status, 0)
  t.same(await readdir(TMPDIR), [])
  const document = JSON.parse(stdout)
  t.equal(document.right, true)
  const outcomes = document.outcomes.map((each: PlayedFlow) => `${each.dialect} ${each.flow} ${each.right}`)
  t.same(
    outcomes.sort(),
    ['aadOptscim062020', 'default'].flatMap((name) =>
      [1, 2, 3, 4, 5, 6, 7].map((flow) => `${name} ${flow} true`),
    ),
  )

  const operations = (dialect: string) =>
    document.flows
      .filter((flow: PlayedFlow) => flow.dialect === dialect)
      .flatMap(({ steps }: PlayedFlow) => steps.flatMap(({ exchanges }) => exchanges))
      // biome-ignore lint/suspicious/noExplicitAny: bodies of every shape
      .flatMap(({ request }: any) => request.body?.Operations ?? [])
  t.match(operations('default'), [{ op: 'Add', path: 'members', value: [{ $ref: null, value: String }] }])
  t.match(operations('default').at(-1), { op: 'Replace', path: 'active', value: 'False' })
  t.match(operations('aadOptscim062020').at(-1), { op: 'replace', path: 'active', value: false })
  t.match(
    operations('aadOptscim062020').filter(({ op }: { op: string }) => op === 'remove'),
    [{ path: /^members\[value eq "[^"]+"\]$/ }, { path: /^members\[value eq "[^"]+"\]$/ }],
  )
})

t.test('a signal stops it, and what it started is gone', async (t) => {
  const TMPDIR = await openFolder(t)
  const demo = startCommand(t, ['demo'], { TMPDIR })
  await demo.printed(/Flow 1, dialect default: right/)
  t.equal((await readdir(TMPDIR)).length, 1)
  demo.child.kill('SIGINT')
  const { status, stdout, stderr } = await demo.ended
  t.equal(status, 1)
  t.equal(stderr, 'stopped before the end\n')
  t.notMatch(stdout, 'Summary')
  t.notMatch(stdout, '\u001b', 'no colours in a pipe')
  t.same(await readdir(TMPDIR), [])
})

t.test('a reader that goes away stops it as well', async (t) => {
  const TMPDIR = await openFolder(t)
  const demo = startCommand(t, ['demo'], { TMPDIR })
  await demo.printed(/Flow 7, dialect default: right/)
  demo.child.stdout?.destroy()
  t.match(await demo.ended, { status: 1, stderr: 'stopped before the end\n' })
  t.same(await readdir(TMPDIR), [])
})

t.test('an unknown option is wrong use', async (t) => {
  t.match(await callCommand(['demo', '--fast']), { status: 2, stderr: /--fast/ })
})

const setup = async (t: Test) => {
  const service = await startTestService(t)
  return {
    service,
    stage: {
      send: service.scim,
      accounts: async () =>
        Object.fromEntries(
          service.sandbox.state.users().map(({ email, roles, enabled }) => [email, { roles, enabled }]),
        ),
      caughtUp: async () => {
        await service.settle()
        return true
      },
    },
  }
}

const [dialect] = dialects
const flow = (number: number) => flows.find((each) => each.number === number)
if (!dialect) throw new Error('there is no dialect')

async function playAll(stage: Parameters<typeof playFlows>[0], list: readonly (Flow | undefined)[]) {
  const given = list.filter((each) => each !== undefined)
  const played: PlayedFlow[] = []
  for await (const each of playFlows(stage, dialect as NonNullable<typeof dialect>, given)) played.push(each)
  return played
}

t.test('an outcome other than expected is shown with what should be, and is exit status 1', async (t) => {
  const { stage } = await setup(t)
  const broken = {
    number: 2,
    title: 'Broken',
    administrator: 'did nothing.',
    outcome: 'Ann is gone and Ben is an Analyst.',
    steps: [{ what: 'Entra probes.', sends: [{ does: 'probe' }], accounts: { ann: null, ben: ['Analyst'] } }],
  } as const satisfies Flow
  const played = await playAll(stage, [flow(7), flow(1), broken])
  t.same(
    played.map(({ right }) => right),
    [true, true, false],
  )
  t.equal(exitStatus(played), 1)
  t.equal(exitStatus(played.slice(0, 2)), 0)

  const printer = createPrinter(createPaint(false))
  const text = played.map(printer.flow).join('') + printer.summary(played)
  t.match(text, /✗ ann@example\.com +Campaign Editor +Campaign Editor +none\n +should be: no account\n/)
  t.match(text, /✗ ben@example\.com +Campaign Editor +Campaign Editor +none\n +should be: Analyst\n/)
  t.match(text, /✗ Flow 2, dialect default: wrong\n/)
  t.match(text, /✗ 1 of 3 outcomes are not as they should be\./)
})

t.test('a service that refuses is wrong, and Entra sends nothing about what was never created', async (t) => {
  const { service, stage } = await setup(t)
  service.sandbox.state.removeRole('Campaign Editor')
  const [played] = await playAll(stage, [flow(1)])
  t.equal(played?.right, false)
  const answers = played?.steps.map(({ exchanges }) => exchanges.map(({ answer }) => answer.status))
  t.same(answers, [[200, 201, 200, 201, 200, 201], [200, 400], []])
  const printer = createPrinter(createPaint(false))
  t.match(
    played && printer.flow(played),
    /← 400 Bad Request, invalidValue, .*'Campaign Editor'.* ✗ \(should be 201\)/,
  )
})

t.test('no line is wider than 110 columns, and colours come only when asked for', async (t) => {
  const { stage } = await setup(t)
  const played = await playAll(stage, flows)
  const print = (colour: boolean) => {
    const printer = createPrinter(createPaint(colour))
    return [
      printer.introduction(),
      ...dialects.map(printer.dialect),
      ...played.map(printer.flow),
      printer.summary(played),
    ].join('')
  }
  t.same(
    print(false)
      .split('\n')
      .filter((line) => line.length > 110),
    [],
  )
  t.notMatch(print(false), '\u001b')
  t.match(print(true), '\u001b[32m✓\u001b[39m')
})

t.test('accounts are compared by roles, in order, and by being usable', async (t) => {
  const account = (...roles: string[]) => ({ roles, enabled: true })
  const verdict = (after: Accounts, expected: Accounts) =>
    compareAccounts({}, after, expected).map(({ address, right }) => `${address} ${right}`)
  t.same(verdict({ a: account('X', 'Y') }, { a: account('X', 'Y') }), ['a true'])
  t.same(verdict({ a: account('Y', 'X') }, { a: account('X', 'Y') }), ['a false'])
  t.same(verdict({ a: account('X') }, { a: account('X', 'Y') }), ['a false'])
  t.same(verdict({ a: { roles: ['X'], enabled: false } }, { a: account('X') }), ['a false'])
  t.same(verdict({ b: account('X') }, { a: account('X') }), ['a false', 'b false'])
  t.same(expectAccounts({ 'ann@example.com': account('X') }, { ann: null, ben: ['Y'] }), {
    'ben@example.com': account('Y'),
  })
})

t.test('a body in lines of some width is still that body', async (t) => {
  const body = { a: 'x'.repeat(20), b: [], c: [{ d: null, e: ['y'.repeat(15), 'z'] }, 1, true], f: { g: {} } }
  for (const width of [10, 30, 50, 200]) {
    const lines = layOut(body, width)
    t.same(JSON.parse(lines.join('')), body)
    if (width >= 50)
      t.same(
        lines.filter((line) => line.length > width),
        [],
      )
  }
})
