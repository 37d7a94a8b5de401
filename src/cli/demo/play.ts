import { type Accounts, type AccountVerdict, compareAccounts, expectAccounts } from './compare.ts'
import type { Dialect } from './dialects.ts'
import { createEntra, type Entra, type Exchange } from './entra.ts'
import type { Flow, Step } from './flows.ts'
import type { Stage } from './stage.ts'

export interface PlayedStep {
  readonly step: Step
  readonly exchanges: readonly Exchange[]
  /** Whether Campaign Manager was brought up to date in time, before its accounts were read. */
  readonly caughtUp: boolean
  readonly accounts: { readonly before: Accounts; readonly after: Accounts; readonly expected: Accounts }
  readonly verdicts: readonly AccountVerdict[]
  readonly right: boolean
}

export interface PlayedFlow {
  readonly flow: Flow
  readonly dialect: string
  readonly steps: readonly PlayedStep[]
  readonly right: boolean
}

/** Of the process: 1 when an outcome is not what it should be. */
export const exitStatus = (played: readonly PlayedFlow[]): number =>
  played.every(({ right }) => right) ? 0 : 1

/** Plays the flows one after another on a stage where nothing has happened yet. */
export async function* playFlows(
  stage: Pick<Stage, 'send' | 'accounts' | 'caughtUp'>,
  dialect: Dialect,
  flows: readonly Flow[],
): AsyncGenerator<PlayedFlow> {
  const entra = createEntra(stage.send, dialect)
  let expected: Accounts = {}
  for (const flow of flows) {
    const steps: PlayedStep[] = []
    for (const step of flow.steps) {
      expected = expectAccounts(expected, step.accounts)
      steps.push(await playStep(stage, entra, step, expected))
    }
    yield { flow, dialect: dialect.name, steps, right: steps.every(({ right }) => right) }
  }
}

async function playStep(
  stage: Pick<Stage, 'accounts' | 'caughtUp'>,
  entra: Entra,
  step: Step,
  expected: Accounts,
): Promise<PlayedStep> {
  const before = await stage.accounts()
  const exchanges: Exchange[] = []
  let sentAll = true
  for (const action of step.sends) {
    const sent = await entra.perform(action)
    exchanges.push(...sent)
    if (sent.length === 0) sentAll = false
  }
  const caughtUp = await stage.caughtUp()
  const after = await stage.accounts()
  const verdicts = compareAccounts(before, after, expected)
  const right = caughtUp && sentAll && [...exchanges, ...verdicts].every((each) => each.right)
  return { step, exchanges, caughtUp, accounts: { before, after, expected }, verdicts, right }
}
