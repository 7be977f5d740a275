/**
 * Bounds on what an error repeats of a request. A request of a few bytes can hold millions of invalid elements, and the
 * error must not grow with them.
 */

/** How many violations an error lists at most, on every wire and in the gateway alike. */
export const maxViolations = 100;
/** Characters of each text of a violation. */
const maxTextLength = 400;
/** Characters of an error's message. */
const maxMessageLength = 2000;
/** Of a message, what is kept for saying how many violations it does not name. */
const remainderLength = 40;

/** The text, cut to `length` characters with an ellipsis where it is longer. Never ends in half a surrogate pair. */
export function shorten(text: string, length = maxTextLength): string {
  return text.length <= length ? text : `${text.slice(0, length).toWellFormed()}…`;
}

/** The first {@link maxViolations} violations with each of their texts shortened. */
export function boundedViolations<T extends object>(violations: readonly T[]): T[] {
  return violations.slice(0, maxViolations).map((violation) => {
    const bounded = Object.entries(violation).map(([key, value]) => [
      key,
      typeof value === "string" ? shorten(value) : value,
    ]);
    return Object.fromEntries(bounded) as T;
  });
}

/** The message of an error: as much of it as a sentence may have. */
export function boundedMessage(message: string): string {
  return shorten(message, maxMessageLength);
}

/** One text for many violations: those that fit, and how many more there are. */
export function summarize(violations: readonly { field: string; description: string }[]): string {
  let text = "";
  for (const [index, { field, description }] of violations.entries()) {
    const sentence = shorten(field === "" ? description : `${shorten(field)}: ${description}`);
    if (index === maxViolations || text.length + sentence.length > maxMessageLength - remainderLength) {
      const rest = violations.length - index;
      return text === "" ? sentence : `${text} (and ${rest} more)`;
    }
    text = text === "" ? sentence : `${text}; ${sentence}`;
  }
  return text;
}
