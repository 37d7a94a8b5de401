import { runSuite } from './folders.ts'

await runSuite('tenants')
