import type { StoredResource } from '../directory/stored-resource.ts'
import { notFound, preconditionFailed } from '../scim/error.ts'
import { etagOf, matchesEtag } from '../scim/etag.ts'

export function requireFound(
  type: 'User' | 'Group',
  id: string,
  resource: StoredResource | undefined,
): StoredResource {
  if (!resource) throw notFound(`${type} '${id}' not found`)
  return resource
}

/** RFC 7644 §3.14: `If-Match` is honoured when present and never required. */
export function requireMatch(ifMatch: string | undefined, resource: StoredResource): void {
  if (ifMatch !== undefined && !matchesEtag(ifMatch, etagOf(resource.version))) {
    throw preconditionFailed('the resource has changed since the version that If-Match names')
  }
}
