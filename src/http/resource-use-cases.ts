import type { StoredResource } from '../directory/stored-resource.ts'
import type { Caller } from '../provisioning/context.ts'
import type { JsonObject, ResourceType } from '../scim/attribute.ts'
import type { Projection } from '../scim/project.ts'

/** One type of resource, as the routes need it: what may be asked of it, within one tenant. */
export interface ResourceUseCases {
  readonly type: ResourceType
  /** Throws when the body cannot be created, as far as that takes a look outside the directory. */
  prepare(tenantId: number, body: unknown): Promise<void>
  create(caller: Caller, body: unknown, id?: string): Promise<StoredResource>
  find(tenantId: number, id: string): Promise<StoredResource | undefined>
  replace(caller: Caller, id: string, body: unknown, ifMatch: string | undefined): Promise<StoredResource>
  patch(caller: Caller, id: string, body: unknown, ifMatch: string | undefined): Promise<StoredResource>
  delete(caller: Caller, id: string, ifMatch: string | undefined): Promise<void>
  /** Attributes that are kept apart from the resources, by id, as far as the projection wants them. */
  parts(
    tenantId: number,
    ids: readonly string[],
    base: string,
    projection: Projection,
  ): Promise<ReadonlyMap<string, JsonObject>>
  /**
   * PATCH answers 204 unless the request names attributes (RFC 7644 §3.5.2). Entra wants it for groups, whose members
   * may be many.
   */
  readonly patchAnswersNoContent: boolean
}
