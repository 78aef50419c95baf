/**
 * An object like `inner`, with some of its members replaced. The others run on the original, whose private fields no other
 * object has.
 */
export function changed<T extends object>(inner: T, changes: Partial<T>): T {
  const outer = {} as T
  for (const name of namesOf(inner)) {
    const get = (): unknown => {
      const value: unknown = Reflect.get(inner, name)
      // A bound function is none to `await using`.
      if (typeof value !== 'function') return value
      return (...values: unknown[]) => Reflect.apply(value, inner, values) as unknown
    }
    Object.defineProperty(outer, name, { get, enumerable: true, configurable: true })
  }
  return Object.defineProperties(outer, Object.getOwnPropertyDescriptors(changes))
}

function namesOf(inner: object): PropertyKey[] {
  if (inner === Object.prototype) return []
  const own = Reflect.ownKeys(inner).filter(name => name !== 'constructor')
  return [...own, ...namesOf(Object.getPrototypeOf(inner) as object)]
}
