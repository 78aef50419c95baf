/** Puts another method, which is given the first, in the place of one; returns what puts it back. */
export function replaced<Key extends string, T extends Record<Key, (...rest: never[]) => unknown>>(
  prototype: T,
  name: Key,
  method: (this: T, original: T[Key], ...rest: Parameters<T[Key]>) => void,
): () => void {
  const original = prototype[name]
  prototype[name] = function (this: T, ...rest: Parameters<T[Key]>) {
    method.call(this, original, ...rest)
  } as T[Key]
  return () => {
    prototype[name] = original
  }
}
