// Run by tap after the tests, also when they failed.
import { endTestRun, runner } from './test-run.ts'

await endTestRun(runner)
