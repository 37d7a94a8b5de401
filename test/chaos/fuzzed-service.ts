import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { createClient } from '../../src/access/oauth-clients.ts'
import { issueToken } from '../../src/access/tokens.ts'
import { systemClock } from '../../src/clock.ts'
import { readSchemaExtensionsFile } from '../../src/schema-extensions.ts'
import { createResourceTypes, type ResourceTypes } from '../../src/scim/resource-types.ts'
import { basic, GRANT } from '../http/oauth-setup.ts'
import { openDatabase } from '../support/database.ts'
import { createSigningKey, sign, startKeyServer } from '../support/key-server.ts'
import { startSandbox } from '../support/sandbox.ts'
import { SCIM_TOKEN } from '../support/service.ts'
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts'
import { Tally } from './figures.ts'
import { TELL_MEMORY } from './fuzz-memory.ts'
import type { OauthMaterial } from './fuzz-oauth.ts'

export interface FuzzedService {
  readonly process: ServiceProcess
  readonly types: ResourceTypes
  /** Bearer tokens of each kind. */
  readonly tokens: readonly string[]
  /** An access token lasts an hour, and a long run longer. */
  renewAccessToken(): Promise<void>
  readonly oauth: OauthMaterial
  /** What it logged as an error, or worse, by message. */
  readonly errors: Tally
  /** The last such entries, as they stand in the log. */
  readonly lastErrors: readonly string[]
}

/** An attribute of every type, since the standard schemas have no numbers and no dates of a client's own. */
const EXTENSIONS = [
  {
    resourceType: 'User',
    schema: {
      id: 'urn:example:fuzz:2.0:User',
      name: 'Fuzz',
      attributes: [
        { name: 'level', type: 'integer' },
        { name: 'score', type: 'decimal' },
        { name: 'since', type: 'dateTime' },
        { name: 'valid', type: 'boolean' },
        { name: 'picture', type: 'binary' },
        { name: 'badge', type: 'integer', mutability: 'immutable' },
        { name: 'levels', type: 'integer', multiValued: true },
        { name: 'tags', multiValued: true },
        {
          name: 'budget',
          type: 'complex',
          subAttributes: [{ name: 'amount', type: 'decimal', required: true }, { name: 'currency' }],
        },
      ],
    },
  },
]

const PINO_ERROR = 50
const KEPT_ERRORS = 50
const HALF_A_DAY = 43_200

/**
 * The service as a process, as it runs in production: logging what it does there, behind a proxy that it trusts, reconciling
 * at the rate that is its default. Every group's name is kept, since few of those sent are roles.
 */
export async function startFuzzedService(t: Test): Promise<FuzzedService> {
  const folder = await mkdtemp(join(tmpdir(), 'fuzz-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const path = join(folder, 'schemas.json')
  await writeFile(path, JSON.stringify(EXTENSIONS))
  const { extensions, faults } = readSchemaExtensionsFile(path, (file) => readFileSync(file, 'utf8'))
  if (faults.length > 0) throw new Error(faults.join('\n'))

  const { url, db } = await openDatabase(t)
  const sandbox = await startSandbox(t)
  const process = await startServiceProcess(t, {
    databaseUrl: url,
    campaignManagerUrl: sandbox.url,
    env: {
      NODE_ENV: 'production',
      LOG_LEVEL: 'info',
      TRUST_PROXY: '127.0.0.1',
      CAMPAIGN_MANAGER_RATE: '50',
      UNKNOWN_ROLE: 'hold',
      // A long run deletes more accounts than the guard lets pass, and that is an error of the log.
      DELETION_GUARD_COUNT: '0',
      SCHEMA_EXTENSIONS: path,
      // Nothing is to be asked outside of this machine.
      ENTRA_AUTHORITY: 'https://127.0.0.1:9',
    },
    nodeArgs: ['--disable-proto=delete', ...TELL_MEMORY],
  })
  const oauth = await registerClients(t, db)
  const issued = await issueToken(db, 'default', 'fuzz', undefined)
  const tokens = [await accessToken(process.url, oauth), SCIM_TOKEN, issued?.token ?? '']
  return {
    ...{ process, oauth, tokens, types: createResourceTypes(extensions) },
    async renewAccessToken() {
      tokens[0] = await accessToken(process.url, oauth)
    },
    ...readErrors(process),
  }
}

/** Reads the log as it comes; nobody needs all of it. */
function readErrors({ child }: ServiceProcess): Pick<FuzzedService, 'errors' | 'lastErrors'> {
  const errors = new Tally()
  const lastErrors: string[] = []
  if (!child.stdout) throw new Error('the log cannot be read')
  child.stdout.removeAllListeners('data')
  createInterface(child.stdout).on('line', (line) => {
    if (!line.startsWith('{"level":')) return
    const level = Number.parseInt(line.slice('{"level":'.length), 10)
    if (level < PINO_ERROR) return
    errors.add(String(JSON.parse(line).msg))
    lastErrors.push(line)
    if (lastErrors.length > KEPT_ERRORS) lastErrors.shift()
  })
  return { errors, lastErrors }
}

type Db = Awaited<ReturnType<typeof openDatabase>>['db']

/** One that proves itself by a secret, and one by what an issuer signs. */
async function registerClients(t: Test, db: Db): Promise<OauthMaterial> {
  const client = { tenant: 'default', name: 'fuzz', access: 'write' } as const
  const bySecret = await createClient(db, { ...client, proof: { secretDays: 1 } })
  const [server, key] = await Promise.all([startKeyServer(t), createSigningKey('fuzz')])
  const issuer = `${server.url}/directory`
  server.publish('/directory', issuer, [key])
  const federation = { issuer, subject: 'fuzz', audiences: ['api://fuzz'], jwksUrl: `${issuer}/keys` }
  const byAssertion = await createClient(db, { ...client, name: 'federated', proof: { federation } })
  if ('refused' in bySecret || 'refused' in byAssertion) throw new Error('no client could be made')
  const now = Math.floor(systemClock.now().getTime() / 1000)
  const claims = {
    iss: issuer,
    sub: 'fuzz',
    aud: 'api://fuzz',
    iat: now,
    nbf: now,
    exp: now + HALF_A_DAY,
    jti: 'x',
  }
  return {
    clientId: bySecret.clientId,
    secret: bySecret.secret ?? '',
    claims: { ...claims, tid: '0a1b2c3d-0000-4000-8000-000000000001' },
    assertions: await Promise.all([claims, { ...claims, nbf: undefined }].map((each) => sign(key, each))),
  }
}

async function accessToken(url: string, { clientId, secret }: OauthMaterial): Promise<string> {
  const answer = await fetch(`${url}/oauth2/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...basic(clientId, secret) },
    body: new URLSearchParams(GRANT).toString(),
  })
  const { access_token: token } = (await answer.json()) as { access_token?: string }
  if (token === undefined) throw new Error(`no access token: ${answer.status}`)
  return token
}
