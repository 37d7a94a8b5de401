import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { stopEmbeddedPostgres } from '../../src/db/embedded.ts'
import { createLogger } from '../../src/log.ts'

/** The database server of one run of the tests, as a file that every test process reads. */
export type TestRun = {
  /** Starts the name of every database of this run. */
  prefix: string
  template: string
  /** SQL that makes a used clone what the template is; none where we may not switch triggers off. */
  reset?: string
  /** Of the server's maintenance database; unknown until it is up. */
  url?: string
  /** The folder of the server that this run started; none when it was given one. */
  dataDir?: string
}

export const log = createLogger({ level: 'silent' })

const folder = join(import.meta.dirname, '../../.tap/databases')
const path = (runner: number) => join(folder, `${runner}.json`)

/** The tap process, which starts the scripts before and after and every test file, and so tells runs apart. */
export const runner = process.ppid

export async function writeTestRun(run: TestRun): Promise<void> {
  await mkdir(folder, { recursive: true })
  await writeFile(path(runner), JSON.stringify(run), { mode: 0o600 })
}

export async function readTestRun(of: number): Promise<TestRun | undefined> {
  const text = await readFile(path(of), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
  return text === undefined ? undefined : JSON.parse(text)
}

/** The runs whose tap process is gone, or had this one's id before it: they were killed and left their server. */
export async function abandonedRuns(): Promise<number[]> {
  await mkdir(folder, { recursive: true })
  const runners = (await readdir(folder)).map((name) => Number.parseInt(name, 10))
  return runners.filter((pid) => pid === runner || !isAlive(pid))
}

/** Stops the server of a run, or drops its databases from a server that is not ours. */
export async function endTestRun(of: number): Promise<void> {
  const run = await readTestRun(of)
  if (run?.dataDir !== undefined) {
    await stopEmbeddedPostgres({ dataDir: run.dataDir, log })
    await rm(run.dataDir, { recursive: true, force: true })
  } else if (run?.url !== undefined) {
    await dropDatabases(run.url, run.prefix)
  }
  await rm(path(of), { force: true })
}

export async function withServer<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}

export function databaseUrl(serverUrl: string, name: string): string {
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return url.href
}

async function dropDatabases(url: string, prefix: string): Promise<void> {
  await withServer(url, async (client) => {
    const { rows } = await client.query('select datname from pg_database where starts_with(datname, $1)', [
      prefix,
    ])
    for (const { datname } of rows) await client.query(`drop database if exists "${datname}" with (force)`)
  })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
