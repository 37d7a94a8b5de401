import type { PlayedFlow } from './play.ts'

/** The demonstration as one JSON document, for --json. */
export function toDocument(played: readonly PlayedFlow[]): object {
  return {
    right: played.every(({ right }) => right),
    outcomes: played.map(({ flow, dialect, right }) => ({
      flow: flow.number,
      title: flow.title,
      dialect,
      right,
    })),
    flows: played.map(({ flow, dialect, steps, right }) => ({
      flow: flow.number,
      title: flow.title,
      dialect,
      administrator: flow.administrator,
      shouldHappen: flow.outcome,
      right,
      steps: steps.map(({ step, exchanges, caughtUp, accounts, right }) => ({
        what: step.what,
        right,
        exchanges,
        caughtUp,
        accounts,
      })),
    })),
  }
}
