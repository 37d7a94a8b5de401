// Prints the CycloneDX bill of what ships. `npm sbom --omit=dev` cannot: it leaves out whatever a development package needs
// too, and so leaves out pg.
import { execFileSync } from 'node:child_process'
import { shippedPackages } from './shipped-packages.ts'

interface Component {
  readonly 'bom-ref': string
  name: string
}

interface Bill {
  readonly metadata: { readonly component: Component }
  components: Component[]
  dependencies: { readonly ref: string; dependsOn: string[] }[]
}

const shipped = new Set(shippedPackages().map(({ name, version }) => `${name}@${version}`))
const bill: Bill = JSON.parse(
  execFileSync('npm', ['sbom', '--sbom-format=cyclonedx', '--sbom-type=application'], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  }),
)
const root = bill.metadata.component
// npm says the folder's name.
root.name = root['bom-ref'].slice(0, root['bom-ref'].lastIndexOf('@'))
bill.components = bill.components.filter((component) => shipped.has(component['bom-ref']))
bill.dependencies = bill.dependencies
  .filter(({ ref }) => ref === root['bom-ref'] || shipped.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((each) => shipped.has(each)) }))
if (bill.components.length !== shipped.size) {
  throw new Error(`the bill has ${bill.components.length} of ${shipped.size} packages: run npm ci first`)
}
console.log(JSON.stringify(bill, null, 2))
