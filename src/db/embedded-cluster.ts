import { randomBytes } from 'node:crypto'
import {
  chmod,
  chown,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { type Binaries, closedFolder, type Owner, run } from './embedded-binaries.ts'

/** The folder of one Postgres cluster, whoever runs it. */
export type Cluster = { folder: string; binaries: Binaries; owner: Owner }

const STOP_SECONDS = '60'
/** Above every system's largest process id, so that nobody has it. */
const NOBODYS_PID = '2147483646'

export async function hasCluster(dataDir: string): Promise<boolean> {
  return (await stat(join(dataDir, 'postgres', 'PG_VERSION')).catch(absent)) !== undefined
}

/** The cluster in `dataDir`, made on the first start. */
export async function openCluster(options: {
  dataDir: string
  binaries: Binaries
  owner: Owner
  durable: boolean
}): Promise<Cluster> {
  const { dataDir, binaries } = options
  const folder = join(dataDir, 'postgres')
  const entries = await readdir(folder).catch(absent)
  if (entries === undefined || entries.length === 0) {
    await refuseClosedFolder(folder, options.owner)
    if (entries !== undefined) await rmdir(folder)
    await initialize(folder, options)
  } else if (!entries.includes('PG_VERSION')) {
    throw new Error(`${folder} holds something else than a Postgres database; set DATA_DIR to another folder`)
  }
  const owner = await settleOwner(folder, options.owner)
  await refuseClosedFolder(folder, owner)
  await refuseOtherMajor(folder, binaries)
  return { folder, binaries, owner }
}

/** Into a sibling that gets its name only when complete, so that one killed in the middle is made anew. */
async function initialize(
  folder: string,
  {
    dataDir,
    binaries,
    owner,
    durable,
  }: { dataDir: string; binaries: Binaries; owner: Owner; durable: boolean },
): Promise<void> {
  const unfinished = `${folder}.initdb`
  const passwordFile = `${folder}.password`
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(unfinished, { mode: 0o700 })
  await rm(passwordFile, { force: true })
  await writeFile(passwordFile, randomBytes(24).toString('hex'), { mode: 0o600 })
  if (owner !== undefined) {
    await chown(unfinished, owner.uid, owner.gid)
    await chown(passwordFile, owner.uid, owner.gid)
  }
  const { status, text } = await run(
    binaries.initdb,
    [
      `--pgdata=${unfinished}`,
      '--username=postgres',
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      ...(durable ? [] : ['--no-sync']),
    ],
    owner,
  )
  if (status !== 0) throw new Error(`cannot make the embedded database in ${dataDir}: ${text}`)
  await rename(passwordFile, passwordPath(unfinished))
  await rename(unfinished, folder)
  if (durable) await syncFolder(dataDir)
}

const passwordPath = (folder: string) => join(folder, 'service-password')

export async function readPassword({ folder }: Cluster): Promise<string> {
  return (await readFile(passwordPath(folder), 'utf8')).trim()
}

/** An existing cluster keeps its owner; only one that root copied here is handed to `owner`. */
async function settleOwner(folder: string, owner: Owner): Promise<Owner> {
  const { uid, gid } = await stat(folder)
  if (owner === undefined) {
    const self = process.getuid?.()
    if (uid === self) return undefined
    throw new Error(
      `${folder} belongs to the user with id ${uid}, not to this process's (${self}); run as that user or as root, or set DATA_DIR to another folder`,
    )
  }
  if (uid !== 0) return { uid, gid }
  for (const entry of ['', ...(await readdir(folder, { recursive: true }))]) {
    await chown(join(folder, entry), owner.uid, owner.gid)
  }
  await chmod(folder, 0o700)
  return owner
}

async function refuseClosedFolder(folder: string, owner: Owner): Promise<void> {
  const closed = await closedFolder(folder, owner)
  if (closed === undefined) return
  throw new Error(
    `Postgres does not run as root but as the user with id ${owner?.uid}, who may not enter ${closed} to reach ${folder}; ` +
      'set DATA_DIR to a folder elsewhere, such as /var/lib/campaign-manager-scim',
  )
}

async function refuseOtherMajor(folder: string, { postgres }: Binaries): Promise<void> {
  const data = (await readFile(join(folder, 'PG_VERSION'), 'utf8')).trim()
  const { text } = await run(postgres, ['--version'], undefined)
  const program = /\d+/.exec(text)?.[0]
  if (program === undefined) throw new Error(`cannot run the embedded Postgres: ${text}`)
  if (data === program) return
  throw new Error(
    `${folder} was made by Postgres ${data} and cannot be read by the installed Postgres ${program}; ` +
      'move it away, or set DATA_DIR to another folder',
  )
}

/**
 * Takes down the server that a killed process left behind. To be called with the folder's lock held, when no
 * living service can be using it.
 */
export async function stopServer(cluster: Cluster): Promise<void> {
  const pid = await serverPid(cluster)
  if (pid === undefined) return
  if (!(await runsHere(pid, cluster))) {
    await disownPidFile(cluster)
    return
  }
  const stop = (mode: string) =>
    run(
      cluster.binaries.pgCtl,
      ['stop', '-w', '-t', STOP_SECONDS, '-m', mode, '-D', cluster.folder],
      cluster.owner,
    )
  const polite = await stop('fast')
  if (polite.status === 0 || (await serverPid(cluster)) === undefined) return
  const { status, text } = await stop('immediate')
  if (status !== 0 && (await serverPid(cluster)) !== undefined) {
    throw new Error(`cannot stop the Postgres server ${pid} in ${cluster.folder}: ${text}`)
  }
}

const pidFile = ({ folder }: Cluster) => join(folder, 'postmaster.pid')

async function serverPid(cluster: Cluster): Promise<number | undefined> {
  const text = await readFile(pidFile(cluster), 'utf8').catch(absent)
  const pid = Number.parseInt(text ?? '', 10)
  return pid > 0 ? pid : undefined
}

/** Whether the process with that id is this cluster's server; the id alone may be another process's by now. */
async function runsHere(pid: number, { folder }: Cluster): Promise<boolean> {
  if (process.platform === 'linux') {
    // Readable by everybody, unlike the working folder: root in a container may not look into another user's process.
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
    return words[0]?.endsWith('postgres') === true && words.includes(folder)
  }
  const { text } = await run('ps', ['-ww', '-o', 'command=', '-p', String(pid)], undefined)
  return text.includes('postgres') && text.includes(folder)
}

/**
 * Postgres refuses to start while the file names a living process of the same user. The file stays, for the
 * shared memory in its further lines, by which Postgres recognises a server it cannot see.
 */
async function disownPidFile(cluster: Cluster): Promise<void> {
  const lines = (await readFile(pidFile(cluster), 'utf8')).split('\n')
  await writeFile(pidFile(cluster), [NOBODYS_PID, ...lines.slice(1)].join('\n'))
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function absent(error: unknown): undefined {
  const { code } = error as NodeJS.ErrnoException
  if (code !== 'ENOENT') throw error
}
