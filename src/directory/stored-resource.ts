import type { Resource } from '../scim/attribute.ts'

/** A SCIM resource as the directory keeps it. */
export interface StoredResource {
  readonly id: string
  readonly attributes: Resource
  /** A counter in decimal digits; it grows with every change that a client can see. */
  readonly version: string
  readonly created: Date
  readonly lastModified: Date
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Ids are made by this service, in lower case, and are case-exact (RFC 7643 §3.1): anything else is no id of ours. */
export const isResourceId = (text: string): boolean => UUID.test(text)
