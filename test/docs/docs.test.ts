import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import packageJson from '../../package.json' with { type: 'json' }
import { environmentName, Settings } from '../../src/settings.ts'
import { callCommand } from '../support/command.ts'
import { openDatabase } from '../support/database.ts'
import { startSandbox } from '../support/sandbox.ts'
import { groupBody, userBody } from '../support/scim-client.ts'
import { CAMPAIGN_MANAGER_TOKEN, SCIM_TOKEN, startTestService } from '../support/service.ts'
import { anchors, blocks, codes, links, PAGES, ROOT, read } from './markdown.ts'
import { SETTINGS_PAGE, settingsPage } from './settings-page.ts'
import { shownCommands, shownScripts } from './shown-commands.ts'

t.test('docs/settings.md is that of src/settings.ts', async (t) => {
  t.equal(read('docs/settings.md'), settingsPage(), `run: node test/docs/settings-page.ts (${SETTINGS_PAGE})`)
})

t.test('every setting says what it means', async (t) => {
  for (const [key, schema] of Object.entries(Settings.properties)) {
    t.ok(schema.description, environmentName(key))
    t.ok(schema.must, environmentName(key))
  }
})

t.test('every link leads somewhere', async (t) => {
  for (const page of PAGES) {
    for (const link of links(read(page))) {
      if (/^https:/.test(link)) continue
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? page : join(dirname(page), path)
      t.ok(existsSync(join(ROOT, target)), `${page}: ${link}`)
      if (anchor !== undefined) t.ok(anchors(read(target)).includes(anchor), `${page}: ${link}`)
    }
  }
})

t.test('every page of docs is linked from the README, or from a page that is', async (t) => {
  const reached = new Set(['README.md'])
  for (const page of reached) {
    for (const link of links(read(page))) {
      const target = join(dirname(page), link.split('#')[0] ?? '')
      if (target.endsWith('.md') && PAGES.includes(target)) reached.add(target)
    }
  }
  t.same(
    PAGES.filter((page) => !reached.has(page)),
    [],
  )
})

t.test('every script that is run by npm is there', async (t) => {
  const builtIn = ['ci', 'run']
  const scripts = [...Object.keys(packageJson.scripts), ...builtIn]
  for (const page of PAGES) for (const name of shownScripts(read(page))) t.ok(scripts.includes(name), name)
})

t.test('every command that is shown is one that the service understands', async (t) => {
  const { url } = await openDatabase(t)
  const sandbox = await startSandbox(t)
  const env = {
    DATABASE_URL: url,
    CAMPAIGN_MANAGER_URL: sandbox.url,
    CAMPAIGN_MANAGER_TOKEN,
    ENCRYPTION_KEY: Buffer.alloc(32, 1).toString('base64'),
    PORT: '9',
  }
  const shown = new Map(
    PAGES.flatMap((page) => shownCommands(read(page)).map((args) => [args.join(' '), args])),
  )
  t.ok(shown.size > 30, `${shown.size} commands`)
  for (const [command, args] of shown) {
    // A secret would be read from this process's standard input.
    if (args.includes('--campaign-manager-key-stdin')) continue
    const { status, stderr } = await callCommand(args, env)
    // A command's name alone may stand for all of its forms, which its usage lists.
    t.ok(status !== 2 || stderr.includes(` ${command} `), `${command}: ${stderr}`)
  }
})

/** Of Node, of tests, and of what is beside the service. */
const OTHER_VARIABLES =
  /^(NODE_|TEST_|OTEL_EXPORTER_OTLP_(TIMEOUT|COMPRESSION|CERTIFICATE)|OTEL_RESOURCE_ATTRIBUTES|CHAOS_|KILL_|POSTGRES_|UPGRADE_|FUZZ_|NAME_FILE)/

t.test('every setting that is named exists', async (t) => {
  const settings = Object.keys(Settings.properties).map(environmentName)
  for (const page of PAGES) {
    const named = codes(read(page)).flatMap(
      (code) => /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+(?==|$)/.exec(code)?.[0] ?? [],
    )
    for (const name of named) {
      if (OTHER_VARIABLES.test(name)) continue
      t.ok(settings.includes(name.replace(/_FILE$/, '')) || settings.includes(name), `${page}: ${name}`)
    }
  }
})

t.test('every metric that is named exists, and every statement of SQL can be run', async (t) => {
  const { url, database } = await startTestService(t)
  const exposed = await (await fetch(`${url}/metrics`)).text()
  for (const page of PAGES) {
    const text = read(page)
    for (const [name] of text.matchAll(/\bscim_bridge_[a-z_]+[a-z]/g)) {
      t.match(exposed, `# TYPE ${name.replace(/_(count|sum|bucket)$/, '')} `, `${page}: ${name}`)
    }
    for (const code of codes(text)) {
      if (/^select /.test(code)) await t.resolves(database.pool.query(code), `${page}: ${code}`)
    }
  }
})

t.test('the README’s first steps lead to an account with the role', async (t) => {
  const { url, sandbox, campaignManagerUrl, settle } = await startTestService(t)
  const steps = blocks(read('README.md'), 'sh').find((block) => block.includes('TOKEN=scim_…')) ?? ''
  const script = steps
    .replace('TOKEN=scim_…', `TOKEN=${SCIM_TOKEN}`)
    .replace('http://127.0.0.1:8080', url)
    .replaceAll('http://127.0.0.1:4010', campaignManagerUrl)
  await promisify(execFile)('bash', ['-euc', script])
  await settle()
  t.match(sandbox.state.users(), [{ email: 'ann@example.com', roles: ['Campaign Editor'] }])
})

t.test('what a restore says empties every group, and says so', async (t) => {
  const { url, scim } = await startTestService(t)
  const { body: ann } = await scim('POST', '/Users', userBody('ann'))
  for (const displayName of ['Campaign Editor', 'Campaign Viewer']) {
    await scim('POST', '/Groups', groupBody(displayName, { members: [{ value: ann.id }] }))
  }
  const steps = blocks(read('docs/upgrading.md'), 'sh').find((block) => block.includes('EMPTY=')) ?? ''
  const empty = async (token: string) => {
    const script = steps.replace('https://scim.example.com', url).replace('TOKEN=…', `TOKEN=${token}`)
    return promisify(execFile)('bash', ['-uc', script])
  }

  const refused = await empty('wrong')
  t.equal(refused.stdout, '0 of  groups emptied\n')
  t.match(refused.stderr, /401/)
  t.equal((await empty(SCIM_TOKEN)).stdout, '2 of 2 groups emptied\n')
  const { body } = await scim('GET', '/Groups?attributes=members')
  t.strictSame(
    body.Resources.map(({ members }: { members?: unknown }) => members ?? []),
    [[], []],
  )
})
