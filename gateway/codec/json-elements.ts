import { ElementLimitError } from "./element-limit.ts";

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** Members of objects that count as one element. */
const membersPerElement = 4;

/**
 * Checks that a JSON text holds at most `maxElements` elements, before it is parsed. The text need not be valid JSON.
 *
 * An element takes at least one character, so short texts are not scanned.
 *
 * @throws ElementLimitError
 */
export function assertJsonElements(text: string, maxElements: number): void {
  if (text.length <= maxElements) return;
  /** For each open object or array, whether it is an array. */
  const arrays: boolean[] = [];
  let inArray = false;
  let elements = 0;
  let members = 0;
  let previous = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    switch (code) {
      case quote:
        at = endOfString(text, at);
        continue;
      case openBracket:
      case openBrace:
        // Later elements of an array are counted by their commas.
        if (!inArray || previous === openBracket) elements += 1;
        arrays.push(inArray);
        inArray = code === openBracket;
        break;
      case closeBracket:
      case closeBrace:
        inArray = arrays.pop() ?? false;
        break;
      case comma:
        if (inArray) elements += 1;
        break;
      case colon:
        members += 1;
        break;
      default:
        continue;
    }
    previous = code;
    if (elements + members / membersPerElement > maxElements) throw new ElementLimitError(maxElements);
  }
}

/** The position of a string's closing quote, or the length of the text if unterminated. */
function endOfString(text: string, open: number): number {
  let close = text.indexOf('"', open + 1);
  if (close === -1) return text.length;
  if (text.charCodeAt(close - 1) !== backslash) return close;
  close = open + 1;
  while (close < text.length && text.charCodeAt(close) !== quote) close += text.charCodeAt(close) === backslash ? 2 : 1;
  return close;
}
