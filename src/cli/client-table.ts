import type { ClientDescription } from '../access/oauth-client-list.ts'

export const clientHeadings: readonly string[] = [
  'TENANT',
  'ID',
  'NAME',
  'ACCESS',
  'PROOF',
  'CREATED',
  'EXPIRES',
  'LAST USED',
  'REVOKED',
]

/** A client's secrets share its row: how many are in force is what their ends tell. */
export const clientRow = (client: ClientDescription): string[] => [
  client.tenant,
  client.id,
  client.name,
  client.access,
  client.federation ? `assertions of ${client.federation.issuer}` : 'secret',
  client.created.toISOString(),
  client.federation ? 'never' : client.secrets.map(({ expires }) => instant(expires)).join(', '),
  client.lastUsed?.toISOString() ?? '-',
  client.revoked?.toISOString() ?? '-',
]

const instant = (text: string): string => new Date(text).toISOString()
