/** Default limit of elements per request: see {@link ElementLimitError}. */
export const defaultMaxElements = 100_000;

/**
 * A request exceeds the element limit. Elements are messages, list elements and map entries; in JSON, four members of
 * an object also count as one, since only the schema distinguishes maps from messages.
 *
 * The byte size of a request does not bound its decoding cost: an element of two bytes becomes an object of a hundred.
 */
export class ElementLimitError extends RangeError {
  override readonly name = "ElementLimitError";

  constructor(maxElements: number) {
    super(
      `the request holds more than ${maxElements} elements (messages, list elements, map entries); send it in parts`,
    );
  }
}
