import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { type Instruction, parseDockerfile, readPairs, type Stage } from './dockerfile.ts'

/** What `docker build` would make, as a folder. */
export interface Image {
  /** Where the image's `/` is. */
  readonly root: string
  readonly workdir: string
  readonly env: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly user: string
  readonly stopSignal: string
  readonly exposed: readonly number[]
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  readonly healthcheck: readonly string[]
}

/** What the last stage says about how it is run; nothing is built. */
export function readImage(dockerfile: string): Omit<Image, 'root'> {
  const stage = parseDockerfile(dockerfile).at(-1)
  const all = (keyword: string) => (stage?.instructions ?? []).filter((each) => each.keyword === keyword)
  const text = (keyword: string) => all(keyword).at(-1)?.text ?? ''
  const words = (keyword: string) => {
    const found = all(keyword).at(-1)?.words
    if (!found) throw new Error(`${keyword} is not there, or needs a shell`)
    return found
  }
  const pairs = (keyword: string) => Object.assign({}, ...all(keyword).map((each) => readPairs(each.text)))
  return {
    workdir: text('WORKDIR'),
    env: pairs('ENV'),
    labels: pairs('LABEL'),
    user: text('USER'),
    stopSignal: text('STOPSIGNAL'),
    exposed: all('EXPOSE').map((each) => Number(each.text)),
    entrypoint: words('ENTRYPOINT'),
    cmd: words('CMD'),
    healthcheck: words('HEALTHCHECK'),
  }
}

/** Performs the Dockerfile's COPY and RUN in `folder`, which is empty; the base image is this machine. */
export function buildImage(context: string, folder: string): Image {
  const dockerfile = readFileSync(join(context, 'Dockerfile'), 'utf8')
  const admitted = readIgnoreFile(readFileSync(join(context, '.dockerignore'), 'utf8'))
  const stages = parseDockerfile(dockerfile)
  // A builder has its own, whatever that of the machine is.
  process.umask(0o022)
  for (const stage of stages) buildStage(stage, { context, folder, admitted })
  return { root: join(folder, stages.at(-1)?.name ?? ''), ...readImage(dockerfile) }
}

interface Site {
  readonly context: string
  readonly folder: string
  readonly admitted: ReadonlySet<string>
}

function buildStage(stage: Stage, site: Site): void {
  const root = join(site.folder, stage.name)
  let workdir = '/'
  mkdirSync(root, { recursive: true })
  chmodSync(root, 0o755)
  for (const instruction of stage.instructions) {
    if (instruction.keyword === 'WORKDIR') {
      workdir = resolve(workdir, instruction.text)
      mkdirSync(join(root, workdir), { recursive: true })
    } else if (instruction.keyword === 'COPY') {
      copy(instruction, site, (path) => join(root, resolve(workdir, path)))
    } else if (instruction.keyword === 'RUN') {
      execFileSync('/bin/sh', ['-c', instruction.text], { cwd: join(root, workdir), stdio: 'inherit' })
    }
  }
}

function copy({ flags, text }: Instruction, site: Site, within: (path: string) => string): void {
  const paths = text.split(/\s+/)
  const target = paths.at(-1) ?? ''
  for (const path of paths.slice(0, -1)) {
    if (flags.from === undefined && !site.admitted.has(path)) {
      throw new Error(`COPY ${path}: .dockerignore keeps it out of the build`)
    }
    const source = join(flags.from === undefined ? site.context : join(site.folder, flags.from), path)
    if (!existsSync(source)) throw new Error(`COPY ${path}: there is none`)
    const destination = within(target.endsWith('/') ? join(target, basename(path)) : target)
    cpSync(source, destination, { recursive: true, verbatimSymlinks: true })
    // COPY keeps modes, and a checkout may be one that only its owner can read.
    const mode = flags.chmod ?? (flags.from === undefined ? 'go=' : undefined)
    if (mode !== undefined) execFileSync('chmod', ['-R', mode, destination])
  }
}

/** A list of what is admitted, everything else being left out: `*`, then `!path` line by line. */
export function readIgnoreFile(text: string): ReadonlySet<string> {
  const [everything, ...lines] = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  if (everything !== '*' || !lines.every((line) => /^![\w.-]+$/.test(line))) {
    throw new Error('.dockerignore must shut out everything, and name what is admitted')
  }
  return new Set(lines.map((line) => line.slice(1)))
}
