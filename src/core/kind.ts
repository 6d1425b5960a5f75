interface Kinds {
  CryptoKey: CryptoKey
  Response: Response
}

/** Like `instanceof`, but also for objects of another realm, and if a library has replaced the global class. */
export const isOfKind = <K extends keyof Kinds>(value: unknown, kind: K): value is Kinds[K] =>
  Object.prototype.toString.call(value) === `[object ${kind}]`
