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
 * A regular expression of protovalidate (RE2) as JSON Schema writes them (ECMA-262, in Unicode mode); undefined for one
 * that has no counterpart, such as with flags in the middle.
 *
 * `\s` and `.` mean slightly more and less there: they are spelled out.
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

/** Dots, `\s` and needless escapes, with an eye on what stands in brackets. */
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

/** A regular expression that matches just this text. */
export function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
