import {
  type AttributePath,
  isObject,
  isReference,
  isSimpleList,
  type JsonObject,
  type ResourceType,
  subAttributeNamed,
} from './attribute.ts'
import { parseDateTime } from './date-time.ts'
import { collapse, describesOnly } from './elements.ts'
import {
  booleanFromText,
  elementFromClient,
  isUnassigned,
  listFromClient,
  referenceFromClient,
  roleFromClient,
} from './entra.ts'
import { equalValues } from './equal.ts'
import { invalidSyntax, invalidValue } from './error.ts'
import { printAttributePath, subPath } from './path.ts'
import { isStorableText } from './text.ts'

/**
 * A client's value for an attribute, in the form in which it is kept; undefined when it is unassigned. Throws
 * invalidValue, naming the attribute, when it is of another type. Strings are kept exactly as sent.
 */
export function readValue(type: ResourceType, path: AttributePath, sent: unknown): unknown {
  if (isUnassigned(sent)) return undefined
  if (path.subAttribute) return readSimple(path, sent)
  if (path.attribute.multiValued) {
    const elements = readElements(type, path, sent)
    if (elements.length === 0) return undefined
    return isSimpleList(path.attribute) ? elements.map(({ value }) => value) : elements
  }
  if (path.attribute.type !== 'complex') return readSimple(path, sent)
  return readComplex(type, path, isReference(path.attribute) ? referenceFromClient(sent) : sent)
}

/** The values of a multi-valued attribute, simple ones as objects with a `value`; those that say nothing are left out. */
export function readElements(type: ResourceType, path: AttributePath, sent: unknown): JsonObject[] {
  const elements = listFromClient(sent).flatMap((each): JsonObject[] => {
    if (isUnassigned(each)) return []
    if (isSimpleList(path.attribute)) return [{ value: readSimple(path, each) }]
    const read = readElement(type, path, each)
    return read ? [read] : []
  })
  return collapse(path, elements)
}

function readElement(type: ResourceType, path: AttributePath, sent: unknown): JsonObject | undefined {
  const element = subAttributeNamed(path.attribute, 'value') ? elementFromClient(sent) : sent
  const isRole = !path.isExtension && path.attribute.name === 'roles'
  return readComplex(type, path, isRole && isObject(element) ? roleFromClient(element) : element)
}

function readComplex(type: ResourceType, path: AttributePath, sent: unknown): JsonObject | undefined {
  if (sent === undefined) return undefined
  if (!isObject(sent)) throw expected(path, 'complex: send an object')
  const values = new Map<string, unknown>()
  for (const [name, each] of Object.entries(sent)) {
    const sub = subPath(type, path, name)
    if (!sub?.subAttribute || isReadOnly(sub)) continue
    const value = isUnassigned(each) ? undefined : readSimple(sub, each)
    noteValue(values, sub.subAttribute.name, value, sub)
  }
  const element = Object.fromEntries([...values].filter(([, value]) => value !== undefined))
  const emptied = values.has('value') && element.value === undefined && describesOnly(path.attribute, element)
  return Object.keys(element).length === 0 || emptied ? undefined : element
}

/**
 * RFC 7643 §2.1 compares names without case, so one object may name an attribute twice. The same value twice does no
 * harm; of two different ones neither can be right.
 */
export function noteValue(
  values: Map<string, unknown>,
  key: string,
  value: unknown,
  path: AttributePath,
): void {
  if (values.has(key) && !equalValues(values.get(key), value)) {
    throw invalidSyntax(`${printAttributePath(path)} is given twice, with different values`)
  }
  values.set(key, value)
}

/** Whether clients may not set it. */
export const isReadOnly = ({ attribute, subAttribute }: AttributePath): boolean =>
  attribute.mutability === 'readOnly' || subAttribute?.mutability === 'readOnly'

/** RFC 7643 §2.3. */
function readSimple(path: AttributePath, sent: unknown): unknown {
  switch ((path.subAttribute ?? path.attribute).type) {
    case 'boolean': {
      const value = typeof sent === 'string' ? booleanFromText(sent) : sent
      if (typeof value !== 'boolean') throw expected(path, 'Boolean: send true or false')
      return value
    }
    case 'integer':
      if (!Number.isSafeInteger(sent)) throw expected(path, 'integer: send a number without a fraction')
      return sent
    case 'decimal':
      if (typeof sent !== 'number' || !Number.isFinite(sent)) throw expected(path, 'decimal: send a number')
      return sent
    case 'dateTime':
      if (typeof sent !== 'string' || parseDateTime(sent) === undefined) {
        throw expected(path, 'dateTime: send a text such as 2011-05-13T04:42:34Z')
      }
      return sent
    case 'binary':
      if (typeof sent !== 'string' || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(sent.replace(/\s+/g, ''))) {
        throw expected(path, 'binary: send base64 text')
      }
      return sent
    default:
      return readText(path, sent)
  }
}

function readText(path: AttributePath, sent: unknown): string {
  if (typeof sent !== 'string') throw expected(path, 'string')
  if (!isStorableText(sent)) {
    throw invalidValue(`${printAttributePath(path)} contains U+0000 or half of a surrogate pair`)
  }
  return sent
}

const expected = (path: AttributePath, what: string) =>
  invalidValue(`${printAttributePath(path)} must be of type ${what}`)
