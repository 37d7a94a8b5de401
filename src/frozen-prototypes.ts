/**
 * Freezes what every JSON value and every function inherits from, so that no key of a body can change how other requests are
 * read, should one ever get past the look-ups by Map. Imported before anything else, for its effect alone.
 */
const PROTOTYPES: readonly object[] = [
  Object.prototype,
  Function.prototype,
  Array.prototype,
  String.prototype,
  Number.prototype,
  Boolean.prototype,
]

/**
 * Names that packages give objects of their own. JavaScript refuses `own.toString = …` while the inherited `toString` is a
 * read-only value, and allows it while it is an accessor that defines the property on `own`.
 */
const OVERRIDDEN = [
  'constructor',
  'toString',
  'toLocaleString',
  'valueOf',
  'hasOwnProperty',
  'isPrototypeOf',
  'propertyIsEnumerable',
  'call',
  'apply',
  'bind',
]

for (const prototype of PROTOTYPES) {
  for (const name of OVERRIDDEN) keepOverridable(prototype, name)
  Object.freeze(prototype)
}

function keepOverridable(prototype: object, name: string): void {
  const descriptor = Object.getOwnPropertyDescriptor(prototype, name)
  if (!descriptor?.configurable || !('value' in descriptor)) return
  // V8 looks at it in every `map` and `filter`, which an accessor makes ten times slower.
  if (prototype === Array.prototype && name === 'constructor') return
  const { value, enumerable = false } = descriptor
  Object.defineProperty(prototype, name, {
    enumerable,
    configurable: false,
    get: () => value,
    set(this: object, own: unknown) {
      if (this === prototype) throw new TypeError(`the built-in '${name}' cannot be replaced`)
      Object.defineProperty(this, name, {
        value: own,
        writable: true,
        enumerable: true,
        configurable: true,
      })
    },
  })
}
