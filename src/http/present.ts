import type { FastifyRequest } from 'fastify'
import type { StoredResource } from '../directory/stored-resource.ts'
import type { JsonObject, ResourceType } from '../scim/attribute.ts'
import { etagOf } from '../scim/etag.ts'
import { type Projection, project } from '../scim/project.ts'
import { renderResource } from '../scim/resource.ts'

export const SCIM_PREFIX = '/scim/v2'

/** Where this service's SCIM resources are, as the client sees it. */
export type BaseUrl = (request: FastifyRequest) => string

/**
 * @param publicUrl the setting PUBLIC_URL: what stands before /scim/v2 outside, a gateway's path prefix included. Without
 *   it the request tells, and a proxy's headers only when the proxy is trusted.
 */
export function createBaseUrl(publicUrl: string | undefined): BaseUrl {
  if (publicUrl !== undefined) {
    const base = scimBase(publicUrl)
    return () => base
  }
  return (request) => scimBase(`${request.protocol}://${request.host || 'localhost'}`)
}

export const scimBase = (url: string): string =>
  `${url.replace(/\/+$/, '').replace(/\/scim\/v2$/, '')}${SCIM_PREFIX}`

export const locationOf = (base: string, type: ResourceType, id: string): string =>
  `${base}${type.endpoint}/${id}`

/** A stored resource as a client gets it, whole. */
export function present(
  type: ResourceType,
  stored: StoredResource,
  base: string,
  parts: JsonObject = {},
): JsonObject {
  return renderResource(type, {
    id: stored.id,
    resource: { ...stored.attributes, ...parts },
    created: stored.created.toISOString(),
    lastModified: stored.lastModified.toISOString(),
    version: etagOf(stored.version),
    location: locationOf(base, type, stored.id),
  })
}

export const presentProjected = (
  type: ResourceType,
  stored: StoredResource,
  base: string,
  projection: Projection,
  parts: JsonObject = {},
): JsonObject => project(type, present(type, stored, base, parts), projection)

/** RFC 7643 §4.1.2: the groups a user belongs to, which only the groups themselves can change. */
export const groupElements = (
  base: string,
  groups: readonly { readonly id: string; readonly displayName: string }[],
): JsonObject => ({
  groups: groups.map(({ id, displayName }) => ({
    value: id,
    $ref: `${base}/Groups/${id}`,
    display: displayName,
    type: 'direct',
  })),
})

/** RFC 7643 §4.2: members, as references to the users. */
export const memberElements = (base: string, userIds: readonly string[]): JsonObject => ({
  members: userIds.map((id) => ({ value: id, $ref: `${base}/Users/${id}`, type: 'User' })),
})
