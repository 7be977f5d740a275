import type { JsonValue } from "@bufbuild/protobuf";

/**
 * True if any object of a JSON text has a duplicate key, which `JSON.parse` hides by keeping the last.
 *
 * @param json the result of `JSON.parse`, which has fewer keys than the text exactly if one is duplicated.
 */
export function hasDuplicateKeys(text: string, json: JsonValue): boolean {
  return countKeysInText(text) !== countKeys(json);
}

/** Counts the keys of all objects of a JSON value. */
export function countKeys(json: JsonValue): number {
  if (typeof json !== "object" || json === null) return 0;
  let count = 0;
  if (Array.isArray(json)) {
    for (const item of json) count += countKeys(item);
    return count;
  }
  for (const key in json) count += 1 + countKeys(json[key] ?? null);
  return count;
}

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;

/** Counts the keys of all objects of a JSON text, which must be valid for `JSON.parse`. */
export function countKeysInText(text: string): number {
  let count = 0;
  for (let open = text.indexOf('"'); open !== -1; ) {
    let close = text.indexOf('"', open + 1);
    if (text.charCodeAt(close - 1) === backslash) close = endOfEscaped(text, open);
    let at = close + 1;
    let code = text.charCodeAt(at);
    while (code <= 0x20) {
      at += 1;
      code = text.charCodeAt(at);
    }
    if (code === colon) count += 1;
    open = text.indexOf('"', at);
  }
  return count;
}

function endOfEscaped(text: string, open: number): number {
  let at = open + 1;
  for (let code = text.charCodeAt(at); code !== quote; code = text.charCodeAt(at)) at += code === backslash ? 2 : 1;
  return at;
}
