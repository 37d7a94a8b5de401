import { type AttributePath, isObject, isSimpleList, type JsonObject } from './attribute.ts'

/** What stands in a resource at a path; for a sub-attribute that of a single-valued attribute. */
export function valueAt(
  resource: JsonObject,
  { schema, isExtension, attribute, subAttribute }: AttributePath,
): unknown {
  const container = isExtension ? resource[schema] : resource
  const value = isObject(container) ? container[attribute.name] : undefined
  if (!subAttribute) return value
  return isObject(value) ? value[subAttribute.name] : undefined
}

/** The values of a multi-valued attribute, of which there may be none; simple ones as objects with a `value`. */
export function elementsAt(
  resource: JsonObject,
  { schema, isExtension, attribute }: AttributePath,
): readonly JsonObject[] {
  const value = valueAt(resource, { schema, isExtension, attribute })
  if (!Array.isArray(value)) return []
  return isSimpleList(attribute) ? value.map((each) => ({ value: each })) : value.filter(isObject)
}

/** A copy of the resource with these as the values of a multi-valued attribute. */
export function withElements(
  resource: JsonObject,
  { schema, isExtension, attribute }: AttributePath,
  elements: readonly JsonObject[],
): JsonObject {
  const values = isSimpleList(attribute) ? elements.map(({ value }) => value) : elements
  return withValue(resource, { schema, isExtension, attribute }, values.length > 0 ? values : undefined)
}

/** A copy of the resource with the value put at the path, or with nothing there when it is undefined. */
export function withValue(resource: JsonObject, path: AttributePath, value: unknown): JsonObject {
  const { schema, isExtension, attribute, subAttribute } = path
  const names = [
    ...(isExtension ? [schema] : []),
    attribute.name,
    ...(subAttribute ? [subAttribute.name] : []),
  ]
  return withNested(resource, names, value) ?? {}
}

/** What is left empty goes too: RFC 7643 §2.5 knows no difference between empty and absent. */
function withNested(object: JsonObject, names: readonly string[], value: unknown): JsonObject | undefined {
  const [name, ...inner] = names
  if (name === undefined) return object
  const child = object[name]
  const next = inner.length > 0 ? withNested(isObject(child) ? child : {}, inner, value) : value
  const { [name]: _replaced, ...rest } = object
  const result = next === undefined ? rest : { ...object, [name]: next }
  return Object.keys(result).length > 0 ? result : undefined
}
