import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { Value, type ValueError, ValueErrorType } from '@sinclair/typebox/value'
import { isObject } from './scim/attribute.ts'
import { completeExtension, type DeclaredAttribute, type SchemaExtension } from './scim/schema-extension.ts'
import {
  attributeFaults,
  countFaults,
  type DeclarationFault,
  idFaults,
  listFaults,
  repeatedNames,
} from './scim/schema-extension-rules.ts'

/** `must` ends the sentence "[0].schema.name: must …" of a fault. */
const text = (minLength: number, maxLength: number) =>
  Type.String({ minLength, maxLength, must: `be a text of ${minLength} to ${maxLength} characters` })

const description = Type.Optional(text(0, 2000))

const oneOf = <const Words extends string[]>(...words: Words) =>
  Type.Union(
    words.map((word) => Type.Literal<Words[number]>(word)),
    { must: `be one of ${words.map((word) => `"${word}"`).join(', ')}` },
  )

const list = <Item extends TSchema>(item: Item) => Type.Array(item, { must: 'be an array' })
const flag = Type.Optional(Type.Boolean({ must: 'be true or false' }))
const closed = { additionalProperties: false, must: 'be an object' }

/** RFC 7643 §7. */
const attribute = {
  name: text(1, 100),
  type: Type.Optional(
    oneOf('string', 'boolean', 'decimal', 'integer', 'dateTime', 'reference', 'binary', 'complex'),
  ),
  multiValued: flag,
  description,
  required: flag,
  canonicalValues: Type.Optional(list(text(1, 1000))),
  caseExact: flag,
  mutability: Type.Optional(oneOf('readOnly', 'readWrite', 'immutable', 'writeOnly')),
  returned: Type.Optional(oneOf('always', 'never', 'default', 'request')),
  uniqueness: Type.Optional(oneOf('none', 'server', 'global')),
  referenceTypes: Type.Optional(list(text(1, 1000))),
}

/** The rules refuse attributes at this depth, whatever they are. */
const Unexamined = Type.Unsafe<DeclaredAttribute>(Type.Unknown())

const SubAttribute = Type.Object({ ...attribute, subAttributes: Type.Optional(list(Unexamined)) }, closed)
const Attribute = Type.Object({ ...attribute, subAttributes: Type.Optional(list(SubAttribute)) }, closed)

const Identifier = text(1, 255)

const Extension = Type.Object(
  {
    resourceType: oneOf('User', 'Group'),
    required: flag,
    schema: Type.Object(
      {
        // What /Schemas of another server says beside it.
        schemas: Type.Optional(Type.Unknown()),
        meta: Type.Optional(Type.Unknown()),
        id: Identifier,
        name: text(1, 255),
        description,
        attributes: Type.Array(Attribute, { minItems: 1, must: 'be an array of at least one attribute' }),
      },
      closed,
    ),
  },
  closed,
)

const Extensions = list(Extension)

interface Reading {
  readonly extensions: readonly SchemaExtension[]
  /** Everything that is wrong, a sentence each. */
  readonly faults: readonly string[]
}

/** The file that SCHEMA_EXTENSIONS names; no path, no extensions. */
export function readSchemaExtensionsFile(path: string, readFile: (path: string) => string): Reading {
  if (path === '') return { extensions: [], faults: [] }
  const json = parseFile(path, readFile)
  if ('fault' in json) return { extensions: [], faults: [`${path}: ${json.fault}`] }
  const { extensions, faults } = readSchemaExtensions(json.value)
  return { extensions, faults: faults.map((fault) => `${path}: ${fault}`) }
}

function parseFile(
  path: string,
  readFile: (path: string) => string,
): { readonly value: unknown } | { readonly fault: string } {
  let text: string
  try {
    text = readFile(path)
  } catch (error) {
    return { fault: `cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unreadable'})` }
  }
  try {
    // Editors on Windows put a byte order mark in front.
    return { value: JSON.parse(text.replace(/^\uFEFF/, '')) }
  } catch (error) {
    return { fault: `is not JSON (${(error as Error).message.replace(/\s+/g, ' ')})` }
  }
}

/** The content of that file, parsed. */
export function readSchemaExtensions(json: unknown): Reading {
  const shape = shapeFaults(json)
  const entries: readonly unknown[] = Array.isArray(json) ? json : []
  const together = shape.length === 0 ? listFaults(json as Static<typeof Extensions>) : []
  const faults = [...shape, ...entries.flatMap(entryFaults), ...together].map(({ at, says }) =>
    at === '' ? says : `${at}: ${says}`,
  )
  const extensions = faults.length > 0 ? [] : (json as Static<typeof Extensions>).map(completeExtension)
  return { extensions, faults }
}

/** One for each place, the first. */
function shapeFaults(json: unknown): DeclarationFault[] {
  const byPath = new Map<string, DeclarationFault>()
  for (const error of Value.Errors(Extensions, json)) {
    if (!byPath.has(error.path))
      byPath.set(error.path, { at: printPointer(error.path), says: sentence(error) })
  }
  return [...byPath.values()]
}

function sentence({ type, schema, value }: ValueError): string {
  if (type === ValueErrorType.ObjectAdditionalProperties) return 'is not known here'
  if (type === ValueErrorType.ObjectRequiredProperty) return `must be given, and ${schema.must}`
  const isShort = ['string', 'number', 'boolean'].includes(typeof value) && String(value).length <= 100
  return `must ${schema.must}${isShort ? `, not ${JSON.stringify(value)}` : ''}`
}

/** `/0/schema/name` as `[0].schema.name`. */
const printPointer = (pointer: string): string =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((part) =>
      /^\d+$/.test(part) ? `[${part}]` : /^[\w$-]+$/.test(part) ? `.${part}` : `[${JSON.stringify(part)}]`,
    )
    .join('')

/** What the rules say of those parts that have the right shape. */
function entryFaults(entry: unknown, index: number): DeclarationFault[] {
  const schema = isObject(entry) && isObject(entry.schema) ? entry.schema : {}
  const declared: readonly unknown[] = Array.isArray(schema.attributes) ? schema.attributes : []
  const attributes = declared.map((each) => (Value.Check(Attribute, each) ? each : undefined))
  const names = declared.map((each) =>
    isObject(each) && typeof each.name === 'string' ? each.name : undefined,
  )
  const inAttributes = [
    ...repeatedNames(names),
    ...attributes.flatMap((each, place) => (each ? within(`[${place}]`, attributeFaults(each)) : [])),
  ]
  return within(`[${index}].schema`, [
    ...(Value.Check(Identifier, schema.id) ? within('.id', idFaults(schema.id)) : []),
    ...within('.attributes', countFaults(attributes)),
    ...within('.attributes', inAttributes),
  ])
}

const within = (place: string, faults: readonly DeclarationFault[]): DeclarationFault[] =>
  faults.map(({ at, says }) => ({ at: place + at, says }))
