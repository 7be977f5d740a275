/**
 * Connect's declarations name this type of the DOM library. Node has the constructor but not the name; the whole DOM
 * library for one name would let server code use `window` and `document` unnoticed.
 */
type HeadersInit = NonNullable<ConstructorParameters<typeof Headers>[0]>;
