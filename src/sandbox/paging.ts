import { Refusal } from './contract.ts'

export type Page<T> = { items: T[]; nextPageToken?: string }

/** A page of the entries that come after the token's place, in the order of their creation. */
export function pageOf<T>(
  entries: Iterable<{ sequence: number; item: T }>,
  size: number,
  token: string | undefined,
): Page<T> {
  const after = token === undefined ? 0 : placeOf(token)
  const items: T[] = []
  let last = after
  for (const entry of entries) {
    if (entry.sequence <= after) continue
    if (items.length === size) return { items, nextPageToken: tokenOf(last) }
    items.push(entry.item)
    last = entry.sequence
  }
  return { items }
}

export function pageSizeOf(text: string | undefined): number {
  if (text === undefined) return 100
  const size = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (size < 1 || size > 500) throw new Refusal('invalid', 'pageSize must be a whole number from 1 to 500')
  return size
}

function tokenOf(place: number): string {
  return Buffer.from(`after:${place}`).toString('base64url')
}

function placeOf(token: string): number {
  const place = /^after:(\d{1,15})$/.exec(Buffer.from(token, 'base64url').toString())?.[1]
  if (place === undefined || tokenOf(Number(place)) !== token) {
    throw new Refusal('invalid', 'pageToken is not one that was given out')
  }
  return Number(place)
}
