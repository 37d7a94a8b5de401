import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

const root = join(import.meta.dirname, '../..')
const read = async (name: string) => JSON.parse(await readFile(join(root, name), 'utf8'))
const run = (...args: string[]) =>
  promisify(execFile)(process.execPath, args, { cwd: root, maxBuffer: 64 * 1024 * 1024 })

interface Locked {
  readonly version?: string
  readonly integrity?: string
  readonly resolved?: string
  readonly hasInstallScript?: boolean
  readonly dev?: boolean
  readonly devOptional?: boolean
}

const lockedPackages = async (): Promise<[name: string, locked: Locked][]> =>
  Object.entries<Locked>((await read('package-lock.json')).packages)
    .filter(([path]) => path !== '')
    .map(([path, locked]) => [path.slice(path.lastIndexOf('node_modules/') + 13), locked])

t.test('about every package with an install script it is decided whether it may run', async (t) => {
  const { allowScripts } = await read('package.json')
  const withScripts = (await lockedPackages()).filter(([, { hasInstallScript }]) => hasInstallScript)
  t.strictSame(Object.keys(allowScripts).sort(), [...new Set(withScripts.map(([name]) => name))].sort())
  const shipped = withScripts.filter(([, { dev, devOptional }]) => !dev && !devOptional)
  t.strictSame(shipped, [], 'none of them ships')
})

t.test('every package is pinned by its digest', async (t) => {
  for (const [name, { integrity }] of await lockedPackages()) t.match(integrity, /^sha512-/, name)
})

t.test('versions below which an advisory applies', async (t) => {
  const locked = new Map(await lockedPackages())
  for (const [advisory, name, least] of [
    ['CVE-2026-33806', 'fastify', '5.8.5'],
    ['CVE-2022-31142', '@fastify/bearer-auth', '8.0.1'],
  ] as const) {
    const version = locked.get(name)?.version ?? '0'
    t.ok(version.localeCompare(least, 'en', { numeric: true }) >= 0, `${advisory}: ${name} ${version}`)
  }
})

t.test('what ships has licences that are allowed, and a bill', async (t) => {
  const { stdout } = await run('.ci/licenses.ts')
  const shipped = Number(/^(\d+) packages, 0 with/.exec(stdout)?.[1])
  t.ok(shipped > 0, stdout)
  const bill = JSON.parse((await run('.ci/sbom.ts')).stdout)
  t.match(bill, { bomFormat: 'CycloneDX', metadata: { component: { name: 'campaign-manager-scim' } } })
  const names = bill.components.map(({ purl }: { purl: string }) => purl)
  t.equal(names.length, shipped)
  for (const name of ['fastify', 'pg', 'undici'])
    t.ok(
      names.some((purl: string) => purl.startsWith(`pkg:npm/${name}@`)),
      name,
    )
  for (const name of ['tap', 'typescript'])
    t.notOk(
      names.some((purl: string) => purl.startsWith(`pkg:npm/${name}@`)),
      name,
    )
})
