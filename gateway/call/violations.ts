/**
 * Limits on what an error repeats from a request. A request of a few bytes can contain millions of invalid elements,
 * and the error must not grow with them.
 */

/** Most violations listed in an error, on every wire and in the gateway alike. */
export const maxViolations = 100;
/** Most characters of each text of a violation. */
const maxTextLength = 400;
/** Most characters of an error message. */
const maxMessageLength = 2000;
/** Part of a message reserved for the number of unnamed violations. */
const remainderLength = 40;

/** Shortens the text to `length` characters with an ellipsis. Never ends in half a surrogate pair. */
export function shorten(text: string, length = maxTextLength): string {
  return text.length <= length ? text : `${text.slice(0, length).toWellFormed()}…`;
}

/** Returns the first {@link maxViolations} violations with shortened texts. */
export function boundedViolations<T extends object>(violations: readonly T[]): T[] {
  return violations.slice(0, maxViolations).map((violation) => {
    const bounded = Object.entries(violation).map(([key, value]) => [
      key,
      typeof value === "string" ? shorten(value) : value,
    ]);
    return Object.fromEntries(bounded) as T;
  });
}

/** Shortens an error message to its limit. */
export function boundedMessage(message: string): string {
  return shorten(message, maxMessageLength);
}

/** Summarizes violations in one text: those that fit, and the number of others. */
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
