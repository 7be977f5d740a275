import type { JsonValue } from "@bufbuild/protobuf";
import type { Random } from "./random.ts";

/**
 * Mutates a JSON text: to another spelling of the same value, to JSON that the type may or may not allow, or to invalid
 * JSON.
 */
export function mutateJson(random: Random, text: string): string {
  if (random.chance(0.25)) return cutAndPaste(random, text);
  const json = JSON.parse(text) as JsonValue;
  const change = random.pick([0.01, 0.05, 0.3]);
  return spell(json);

  function spell(value: JsonValue): string {
    const gap = random.chance(0.02) ? random.pick([" ", "\n", "\t\r\n "]) : "";
    return gap + (random.chance(change) ? spellOtherwise(value) : spellAsIs(value)) + gap;
  }

  function spellAsIs(value: JsonValue): string {
    if (Array.isArray(value)) return `[${value.map(spell).join(",")}]`;
    if (typeof value === "object" && value !== null) {
      const members = Object.entries(value).map(([key, inner]) => `${spellKey(key)}:${spell(inner)}`);
      if (random.chance(change / 4)) members.push(random.pick(members) ?? '"nobody":1');
      if (random.chance(change / 4))
        members.push(`${JSON.stringify(random.pick(otherKeys))}:${random.pick(otherValues)}`);
      if (random.chance(0.2)) members.reverse();
      return `{${members.join(",")}}`;
    }
    return JSON.stringify(value);
  }

  function spellOtherwise(value: JsonValue): string {
    switch (typeof value) {
      case "number":
        return random.pick([
          `"${value}"`,
          ...[value.toExponential(), `${value}.0`, `${value}e0`, `"${value.toExponential()}"`, `-${value}`],
          ...[`${value}.5`, `"${value} "`, `"+${value}"`, `"0${value}"`, random.pick(otherValues)],
        ]);
      case "string":
        return spellString(value);
      case "boolean":
        return random.pick([`"${value}"`, value ? "1" : "0", random.pick(otherValues)]);
      default:
        if (Array.isArray(value)) {
          return random.pick([
            `[${[...value.map(spell), "null"].join(",")}]`,
            ...[spellAsIs(value[0] ?? null), `[${spellAsIs(value)}]`],
            ...[random.pick(otherValues), "{}", spellAsIs([...value, ...value])],
          ]);
        }
        return random.pick([random.pick(otherValues), "[]", `[${spellAsIs(value)}]`]);
    }
  }

  function spellString(value: string): string {
    const escaped = [...value]
      .map((character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join("");
    return random.pick([
      `"${escaped}"`,
      // The other base64 alphabet, with and without padding.
      JSON.stringify(value.replaceAll("+", "-").replaceAll("/", "_")),
      JSON.stringify(value.replace(/=+$/, "")),
      JSON.stringify(`${value}=`),
      // 64-bit and other integers as numbers, and as non-canonical text.
      /^-?\d+$/.test(value) ? value : '"-0"',
      /^-?\d+$/.test(value) ? `"${value}.0"` : '"1e3"',
      JSON.stringify(value.toLowerCase()),
      // Timestamps and durations in other spellings.
      JSON.stringify(value.replace("Z", random.pick(["+00:00", "-08:30", "z", ".5Z", ""]))),
      JSON.stringify(value.replace(/\d/, random.pick(["9", "0", "-", "x"]))),
      JSON.stringify(value.replace("T", random.pick([" ", "t"]))),
      JSON.stringify(value.replace(/s$/, random.pick([".000000001s", ".1234567890s", "S", ".s"]))),
      JSON.stringify(random.pick(otherTexts)),
      random.pick(otherValues),
    ]);
  }

  /** The other name of a field, if the key is one: `lineItems`, `line_items`. */
  function spellKey(key: string): string {
    if (!random.chance(change)) return JSON.stringify(key);
    const other = key.includes("_")
      ? key.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())
      : key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    return JSON.stringify(random.pick([other, other, random.pick(otherKeys)]));
  }
}

const otherKeys: readonly [string, ...string[]] = [
  "__proto__",
  ...["constructor", "toString", "", "@type", "value", "0", "-1", "01", "1", "true", "[a.b]", "nobody"],
  ...["$typeName", "$unknown", "2147483648", "9223372036854775808", "name", "recursive", "NaN", "\ud800"],
];

const otherTexts: readonly [string, ...string[]] = [
  "",
  ...["NaN", "Infinity", "-Infinity", "nan", "KIND_NOVEL", "KIND_ONE", "KIND_UNO", "1.5", "AQ", "AQ==", "A", "_-8"],
  ...[
    "0x10",
    "1_000",
    " 1",
    "18446744073709551615",
    "-9223372036854775808",
    "9223372036854775808",
    "null",
    "NULL_VALUE",
  ],
  ...[
    "2026-02-30T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "1s",
    "-0.5s",
    "a.b,cD",
    "\ud800",
  ],
];

const otherValues: readonly [string, ...string[]] = [
  "null",
  ...["7", '"7"', "1.5", "-1", "-0", "1e2", "1e400", "-1e-400", "4294967296", "4294967295", "2147483648", "true"],
  ...[
    '""',
    "[]",
    "{}",
    "[null]",
    '{"a":1}',
    "9007199254740993",
    "18446744073709551616",
    "0.1e1",
    "1E+2",
    "[[1]]",
    '"x"',
  ],
];

/** Removes and inserts text at random positions. */
function cutAndPaste(random: Random, text: string): string {
  const at = random.below(text.length + 1);
  const inserted = random.pick([
    '"',
    "0",
    "-",
    ".5",
    "e3",
    "null",
    "{}",
    "[]",
    ",",
    ":",
    "true",
    "\\ud800",
    " ",
    "}",
    "\\u0061",
  ]);
  return text.slice(0, at) + inserted + text.slice(at + random.pick([0, 0, 1, 1, 2, 5]));
}
