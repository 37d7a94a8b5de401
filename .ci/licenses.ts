// Fails when a package that ships with the service has a licence that nobody has looked at yet.
import { shippedPackages } from './shipped-packages.ts'

/** Permissive: they ask for their text and the copyright notice to be kept, and no more. */
const ALLOWED = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
])

const shipped = shippedPackages()
const refused = shipped.filter(({ license }) => !isAllowed(license))

for (const { name, version, license } of refused) console.error(`${name}@${version}: ${license}`)
console.log(`${shipped.length} packages, ${refused.length} with a licence that is not allowed`)
process.exitCode = shipped.length > 0 && refused.length === 0 ? 0 : 1

/** Of an SPDX expression one side must do for OR, and both for AND. */
function isAllowed(license: string): boolean {
  const text = license.replace(/^\(([^()]*)\)$/, '$1')
  if (text.includes(' OR ')) return text.split(' OR ').some(isAllowed)
  if (text.includes(' AND ')) return text.split(' AND ').every(isAllowed)
  return ALLOWED.has(text)
}
