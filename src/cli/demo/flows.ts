/** The people of the story. Their address is `<key>@example.com`. */
export const people = {
  ann: { givenName: 'Ann', familyName: 'Lee', department: 'Sales', employeeNumber: '1001' },
  ben: { givenName: 'Ben', familyName: 'Ortiz', department: 'Sales', employeeNumber: '1002' },
  cleo: { givenName: 'Cleo', familyName: 'Park', department: 'Sales', employeeNumber: '1003' },
  dan: { givenName: 'Dan', familyName: 'Moss', department: 'Insight', employeeNumber: '1004' },
  eve: { givenName: 'Eve', familyName: 'Hart', department: 'Insight', employeeNumber: '1005' },
  finn: { givenName: 'Finn', familyName: 'Roy', department: 'Sales', employeeNumber: '1006' },
  gil: { givenName: 'Gil', familyName: 'Stone', department: 'Service', employeeNumber: '1007' },
} as const

export type PersonKey = keyof typeof people

export const addressOf = (person: PersonKey) => `${person}@example.com`
export const nameOf = (person: PersonKey) => `${people[person].givenName} ${people[person].familyName}`

/** Null: no account. */
export type RolesByPerson = Readonly<Partial<Record<PersonKey, readonly string[] | null>>>

/** What Entra does; `found` says whether its query should find something. */
export type Action =
  | { readonly does: 'probe' }
  | { readonly does: 'match user'; readonly person: PersonKey; readonly found: boolean }
  | { readonly does: 'match group'; readonly group: string; readonly found: boolean }
  | { readonly does: 'add members'; readonly group: string; readonly people: readonly PersonKey[] }
  | { readonly does: 'remove members'; readonly group: string; readonly people: readonly PersonKey[] }
  | { readonly does: 'deactivate'; readonly person: PersonKey }
  | { readonly does: 'read group'; readonly group: string }
  | { readonly does: 'delete group'; readonly group: string }

/** Those whom an action names. */
export function peopleIn(action: Action): readonly PersonKey[] {
  if ('people' in action) return action.people
  return 'person' in action ? [action.person] : []
}

export interface Step {
  readonly what: string
  readonly sends: readonly Action[]
  /** Whose account differs after it, and its roles then. Everybody else's stays as it was. */
  readonly accounts: RolesByPerson
}

export interface Flow {
  /** As the list of flows numbers it. */
  readonly number: number
  readonly title: string
  readonly administrator: string
  readonly outcome: string
  readonly steps: readonly Step[]
}

/** One story, in the order in which an administrator meets the flows: each stands on what those before it left. */
export const flows: readonly Flow[] = [
  {
    number: 7,
    title: 'Setup',
    administrator: 'entered the Tenant URL and the Secret Token, and pressed "Test Connection".',
    outcome: 'both answers are 200 and an empty list, and Campaign Manager stays as it is.',
    steps: [
      {
        what: 'Entra asks for a user and a group that cannot exist, named by a random GUID.',
        sends: [{ does: 'probe' }],
        accounts: {},
      },
    ],
  },
  {
    number: 1,
    title: 'Group assigned to the app',
    administrator: 'assigned the group "Campaign Editor" with Ann, Ben and Cleo in it.',
    outcome: "everybody gets an account with the placeholder role, which the group's role then replaces.",
    steps: [
      {
        what: 'Entra looks for each person, finds nobody and creates them.',
        sends: [
          { does: 'match user', person: 'ann', found: false },
          { does: 'match user', person: 'ben', found: false },
          { does: 'match user', person: 'cleo', found: false },
        ],
        accounts: { ann: ['Placeholder'], ben: ['Placeholder'], cleo: ['Placeholder'] },
      },
      {
        what: 'Entra looks for the group, does not find it and creates it empty.',
        sends: [{ does: 'match group', group: 'Campaign Editor', found: false }],
        accounts: {},
      },
      {
        what: 'Entra adds the members.',
        sends: [{ does: 'add members', group: 'Campaign Editor', people: ['ann', 'ben', 'cleo'] }],
        accounts: { ann: ['Campaign Editor'], ben: ['Campaign Editor'], cleo: ['Campaign Editor'] },
      },
    ],
  },
  {
    number: 6,
    title: 'Second group with completely new users',
    administrator: 'assigned the group "Analyst" with Dan and Eve in it, who are both new.',
    outcome: 'as flow 1: each new account ends with exactly the role Analyst.',
    steps: [
      {
        what: 'Entra creates the new people.',
        sends: [
          { does: 'match user', person: 'dan', found: false },
          { does: 'match user', person: 'eve', found: false },
        ],
        accounts: { dan: ['Placeholder'], eve: ['Placeholder'] },
      },
      {
        what: 'Entra creates the group and adds the members.',
        sends: [
          { does: 'match group', group: 'Analyst', found: false },
          { does: 'add members', group: 'Analyst', people: ['dan', 'eve'] },
        ],
        accounts: { dan: ['Analyst'], eve: ['Analyst'] },
      },
    ],
  },
  {
    number: 4,
    title: 'New user in an existing group',
    administrator: 'put Finn, who is new, and Dan, who is an Analyst already, into "Campaign Editor".',
    outcome: "Finn's placeholder is replaced by Campaign Editor; Dan keeps Analyst and gets Campaign Editor.",
    steps: [
      {
        what: 'Entra creates Finn and finds Dan.',
        sends: [
          { does: 'match user', person: 'finn', found: false },
          { does: 'match user', person: 'dan', found: true },
        ],
        accounts: { finn: ['Placeholder'] },
      },
      {
        what: 'Entra adds both to the group it knows already.',
        sends: [{ does: 'add members', group: 'Campaign Editor', people: ['finn', 'dan'] }],
        accounts: { finn: ['Campaign Editor'], dan: ['Analyst', 'Campaign Editor'] },
      },
    ],
  },
  {
    number: 5,
    title: 'Second group with overlapping users',
    administrator:
      'assigned the group "Supervisors": Ann and Ben, who are in Campaign Editor, and Gil, who is new.',
    outcome:
      "Ann and Ben keep Campaign Editor and get Supervisors; Gil's placeholder is replaced by Supervisors.",
    steps: [
      {
        what: 'Entra finds Ann and Ben, and creates Gil.',
        sends: [
          { does: 'match user', person: 'ann', found: true },
          { does: 'match user', person: 'ben', found: true },
          { does: 'match user', person: 'gil', found: false },
        ],
        accounts: { gil: ['Placeholder'] },
      },
      {
        what: 'Entra creates the group and adds the members.',
        sends: [
          { does: 'match group', group: 'Supervisors', found: false },
          { does: 'add members', group: 'Supervisors', people: ['ann', 'ben', 'gil'] },
        ],
        accounts: {
          ann: ['Campaign Editor', 'Supervisors'],
          ben: ['Campaign Editor', 'Supervisors'],
          gil: ['Supervisors'],
        },
      },
    ],
  },
  {
    number: 3,
    title: 'User unassigned from a group',
    administrator:
      'took Dan and Finn out of "Campaign Editor". Dan is an Analyst too; for Finn it is the only role.',
    outcome: "Dan loses only Campaign Editor; Finn's account is deleted.",
    steps: [
      {
        what: 'Entra sets both inactive. This alone changes no account: its life follows group membership.',
        sends: [
          { does: 'deactivate', person: 'dan' },
          { does: 'deactivate', person: 'finn' },
        ],
        accounts: {},
      },
      {
        what: 'Entra takes Dan out of the group.',
        sends: [
          { does: 'read group', group: 'Campaign Editor' },
          { does: 'remove members', group: 'Campaign Editor', people: ['dan'] },
        ],
        accounts: { dan: ['Analyst'] },
      },
      {
        what: 'Entra takes Finn out of the group.',
        sends: [
          { does: 'read group', group: 'Campaign Editor' },
          { does: 'remove members', group: 'Campaign Editor', people: ['finn'] },
        ],
        accounts: { finn: null },
      },
    ],
  },
  {
    number: 2,
    title: 'Group unassigned from the app',
    administrator:
      'unassigned "Campaign Editor". Ann and Ben are Supervisors too; for Cleo it is the only role.',
    outcome: "Ann and Ben lose only Campaign Editor; Cleo's account is deleted.",
    steps: [
      {
        what: 'Entra sets everybody in the group inactive. This alone changes no account.',
        sends: [
          { does: 'deactivate', person: 'ann' },
          { does: 'deactivate', person: 'ben' },
          { does: 'deactivate', person: 'cleo' },
        ],
        accounts: {},
      },
      {
        what: 'Entra checks the group and deletes it.',
        sends: [
          { does: 'read group', group: 'Campaign Editor' },
          { does: 'delete group', group: 'Campaign Editor' },
        ],
        accounts: { ann: ['Supervisors'], ben: ['Supervisors'], cleo: null },
      },
    ],
  },
]
