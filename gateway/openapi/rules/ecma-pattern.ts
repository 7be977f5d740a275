const names: readonly [RegExp, string][] = [
  [/\(\?P</g, "(?<"],
  [/\[:alnum:\]/g, "0-9A-Za-z"],
  [/\[:alpha:\]/g, "A-Za-z"],
  [/\[:digit:\]/g, "0-9"],
  [/\[:lower:\]/g, "a-z"],
  [/\[:upper:\]/g, "A-Z"],
  [/\[:word:\]/g, "0-9A-Za-z_"],
  [/\[:xdigit:\]/g, "0-9A-Fa-f"],
];

/**
 * Translates a regular expression of protovalidate (RE2) to that of JSON Schema (ECMA-262, in Unicode mode); undefined
 * if it has no counterpart, such as one with flags in the middle.
 *
 * `\s` and `.` differ slightly between the two and are spelled out.
 */
export function ecmaPattern(re2: string): string | undefined {
  if (/\\[QECpP]|\[\[:\^|\(\?[a-zA-OQ-Z-]/.test(re2)) return undefined;
  let pattern = re2;
  for (const [from, to] of names) pattern = pattern.replace(from, to);
  pattern = spelledOut(pattern);
  try {
    new RegExp(pattern, "u");
    return pattern;
  } catch {
    return undefined;
  }
}

/** Spells out dots, `\s` and needless escapes, taking character classes into account. */
function spelledOut(re2: string): string {
  let inClass = false;
  return re2.replace(/\\[\s\S]|[[\].]/g, (token) => {
    if (token === ".") return inClass ? "." : "[^\\n]";
    if (token === "[") inClass = true;
    if (token === "]") inClass = false;
    if (token === "\\s") return inClass ? "\\t\\n\\f\\r " : "[\\t\\n\\f\\r ]";
    if (token === "\\S" && !inClass) return "[^\\t\\n\\f\\r ]";
    if (token === "\\A") return "^";
    if (token === "\\z") return "$";
    if (token === "\\a") return "\\u0007";
    const isNeedless = /^\\[^\w^$\\.*+?()[\]{}|/]$/.test(token) && !(inClass && token === "\\-");
    return isNeedless ? token.slice(1) : token;
  });
}

/** A regular expression that matches exactly this text. */
export function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
