import { chmod, mkdir, mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { reachableBinaries } from '../../src/db/embedded-binaries.ts'

const nobody = { uid: 65_534, gid: 65_534 }

t.test('binaries in a folder that only others may enter', async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'campaign-manager-scim-binaries-'))
  t.teardown(() => rm(dataDir, { recursive: true, force: true }))
  const closed = join(dataDir, 'closed')
  const path = (name: string) => join(closed, 'native/bin', name)
  const installed = { initdb: path('initdb'), pgCtl: path('pg_ctl'), postgres: path('postgres') }
  await mkdir(join(closed, 'native/bin'), { recursive: true })
  const install = async (version: string) => {
    for (const file of Object.values(installed)) await writeFile(file, version)
  }
  const reach = async () => {
    const { postgres } = await reachableBinaries(installed, nobody, dataDir)
    return { path: postgres, content: await readFile(postgres, 'utf8') }
  }
  const copy = join(dataDir, 'postgres-binaries/bin/postgres')

  await install('15')
  await chmod(closed, 0o755)
  await chmod(dataDir, 0o755)
  t.strictSame(
    await reach(),
    { path: installed.postgres, content: '15' },
    'are used where they are otherwise',
  )

  await chmod(closed, 0o700)
  t.strictSame(await reach(), { path: copy, content: '15' }, 'are copied')
  const marker = join(dataDir, 'postgres-binaries/marker')
  await writeFile(marker, '')
  t.strictSame(await reach(), { path: copy, content: '15' })
  t.equal(await readFile(marker, 'utf8'), '', 'once')

  await install('15.1')
  await chmod(installed.postgres, 0o700)
  t.strictSame(await reach(), { path: copy, content: '15.1' }, 'and anew when they have another size')
  t.equal((await stat(copy)).mode & 0o777, 0o755, 'for everybody to run')
  await install('15.2')
  await utimes(installed.postgres, 0, 0)
  t.strictSame(await reach(), { path: copy, content: '15.2' }, 'or another time')
  await t.rejects(readFile(marker), { code: 'ENOENT' })
})
