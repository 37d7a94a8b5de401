import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'

/** A version of the service as a folder that it runs from. */
export interface Version {
  readonly folder: string
  /** Whether it starts on a newer schema, and knows that a breaking migration is the exception. */
  readonly startsOnNewerSchemas: boolean
}

/** That of no real one. */
export const NEW_VERSION_NUMBER = '999.0.0'

const ROOT = join(import.meta.dirname, '../..')
const PARTS = ['src', 'migrations', 'package.json']
const run = promisify(execFile)

/** What is upgraded from: the tree of the commit UPGRADE_FROM, or the present one. */
export async function oldVersion(t: Test): Promise<Version> {
  const ref = process.env.UPGRADE_FROM
  // Not where it is, because somebody may be working on it.
  if (!ref) return versionIn(await copyOf(t, ROOT))
  const folder = await temporaryFolder(t)
  const archive = join(folder, 'tree.tar')
  await run('git', ['-C', ROOT, 'archive', `--output=${archive}`, ref, ...PARTS])
  await run('tar', ['-xf', archive, '-C', folder])
  return versionIn(folder)
}

/** What is upgraded to: the present tree with one more migration and a number of its own. */
export async function newVersion(
  t: Test,
  old: Version,
  migration: { readonly name: string; readonly sql: string },
): Promise<Version> {
  const folder = await copyOf(t, process.env.UPGRADE_FROM ? ROOT : old.folder)
  await writeFile(join(folder, 'migrations', `${await nextNumber(folder)}_${migration.name}`), migration.sql)
  const packageJson = join(folder, 'package.json')
  const content = JSON.parse(await readFile(packageJson, 'utf8'))
  await writeFile(packageJson, JSON.stringify({ ...content, version: NEW_VERSION_NUMBER }))
  return versionIn(folder)
}

async function copyOf(t: Test, tree: string): Promise<string> {
  const folder = await temporaryFolder(t)
  for (const part of PARTS) await cp(join(tree, part), join(folder, part), { recursive: true })
  return folder
}

async function temporaryFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'campaign-manager-scim-upgrade-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

async function versionIn(folder: string): Promise<Version> {
  const code = await readFile(join(folder, 'src/db/migrate.ts'), 'utf8')
  return { folder, startsOnNewerSchemas: code.includes('.breaking') }
}

async function nextNumber(folder: string): Promise<string> {
  const numbers = (await readdir(join(folder, 'migrations'))).map((name) => Number.parseInt(name, 10))
  return String(Math.max(...numbers.filter((number) => number > 0)) + 1).padStart(4, '0')
}
