import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseDockerfile } from './dockerfile.ts'
import { readIgnoreFile, readImage } from './image.ts'

const ROOT = join(import.meta.dirname, '../..')
const text = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
const stages = parseDockerfile(text)
const packageJson = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))

t.test(
  'stands on a slim Node.js of the version that the service wants, to be pinned by whoever builds',
  async (t) => {
    t.match(text, /^ARG NODE_IMAGE=node:24-[\w-]+-slim$/m)
    t.equal(packageJson.engines.node, '>=24')
    for (const { base } of stages) t.match(base, /^node:24-/)
  },
)

t.test(
  'installs production dependencies as the lock file has them, and runs none of their scripts',
  async (t) => {
    const runs = stages.flatMap(({ instructions }) => instructions.filter(({ keyword }) => keyword === 'RUN'))
    t.same(
      runs.map((run) => run.text),
      ['npm ci --omit=dev --ignore-scripts --no-audit --no-fund'],
    )
  },
)

t.test('holds what the service needs and nothing else', async (t) => {
  const copies = (stages.at(-1)?.instructions ?? []).filter(({ keyword }) => keyword === 'COPY')
  t.same(
    copies.map(({ text }) => text.split(' ')[0]),
    ['/app/node_modules', 'package.json', 'migrations', 'src'],
  )
  const modes = copies.filter(({ flags }) => flags.from === undefined).map(({ flags }) => flags.chmod)
  t.same(modes, ['755', '755', '755'], 'whatever the modes of the checkout are')
  const admitted = readIgnoreFile(readFileSync(join(ROOT, '.dockerignore'), 'utf8'))
  t.same([...admitted].sort(), ['migrations', 'package-lock.json', 'package.json', 'src'])
})

t.test('runs without root, without a shell, and stops on SIGTERM', async (t) => {
  const image = readImage(text)
  t.match(image.user, /^[1-9]\d*:[1-9]\d*$/, 'a number, so that Kubernetes can tell')
  t.same(image.entrypoint, ['node', 'src/main.ts'])
  t.same(image.cmd, ['serve'])
  t.same(image.healthcheck, [...image.entrypoint, 'healthcheck'])
  t.equal(image.stopSignal, 'SIGTERM')
  t.match(image.env, { NODE_ENV: 'production', HOST: '0.0.0.0' })
  t.equal(image.labels['org.opencontainers.image.version'], packageJson.version)
  t.equal(image.labels['org.opencontainers.image.description'], packageJson.description)
})
