/** Elements of one request unless configured otherwise: see {@link ElementLimitError}. */
export const defaultMaxElements = 100_000;

/**
 * A request holds more elements than allowed. Elements are messages, list elements and map entries; in JSON also four
 * members of an object count as one, since only the schema tells maps from messages.
 *
 * The bytes of a request do not bound what decoding it costs: an element of two bytes becomes an object of a hundred.
 */
export class ElementLimitError extends RangeError {
  override readonly name = "ElementLimitError";

  constructor(maxElements: number) {
    super(
      `the request holds more than ${maxElements} elements (messages, list elements, map entries); send it in parts`,
    );
  }
}
