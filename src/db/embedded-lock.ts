import { createHash } from 'node:crypto'
import { rename, rm } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The kernel's limit for a socket's path is 108 bytes, on macOS 104, with the closing zero. */
const LONGEST_SOCKET_PATH = 100
const ATTEMPTS = 20

export class DataDirInUseError extends Error {
  override readonly name = 'DataDirInUseError'
}

export type Lock = { release(): Promise<void> }

/**
 * Holds the folder for this process. The lock is a listening socket, so that it ends with the process however
 * that dies: no process id is kept that another process could have by then. It lies in the folder, where also
 * a container that shares the volume meets it; only where no socket can be made there, in the temporary folder.
 */
export async function lockDataDir(dataDir: string): Promise<Lock> {
  const inside = join(dataDir, 'postgres.lock')
  if (Buffer.byteLength(inside) <= LONGEST_SOCKET_PATH) {
    const lock = await hold(inside, dataDir).catch((error: unknown) => {
      if (error instanceof DataDirInUseError) throw error
      return undefined // A file system without sockets, such as some mounts from a container's host.
    })
    if (lock !== undefined) return lock
  }
  const hash = createHash('sha256').update(dataDir).digest('hex').slice(0, 32)
  return hold(join(tmpdir(), `campaign-manager-scim-${hash}.lock`), dataDir)
}

async function hold(path: string, dataDir: string): Promise<Lock> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const server = await listen(path)
    if (server !== undefined) return { release: () => close(server) }
    await removeIfDead(path, dataDir)
  }
  throw new Error(`cannot lock the folder ${dataDir} by ${path}`)
}

/** Undefined when something is at the path already. */
function listen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined)
      else reject(error)
    })
    server.listen(path, () => resolve(server.unref()))
  })
}

async function removeIfDead(path: string, dataDir: string): Promise<void> {
  if (await answers(path)) throw inUse(dataDir)
  // Renamed first: should another process have taken the lock since the question, this finds out.
  const aside = `${path}.${process.pid}`
  try {
    await rename(path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  if (await answers(aside)) {
    await rename(aside, path)
    throw inUse(dataDir)
  }
  await rm(aside, { force: true })
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT' || error.code === 'ENOTSOCK')
        resolve(false)
      // Another user's socket, or one with a full backlog: somebody is there.
      else if (error.code === 'EACCES' || error.code === 'EAGAIN') resolve(true)
      else reject(error)
    })
  })
}

function inUse(dataDir: string): DataDirInUseError {
  return new DataDirInUseError(
    `the embedded database in ${dataDir} is in use by another running process; stop that one, or set DATA_DIR to another folder`,
  )
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
