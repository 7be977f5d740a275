const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/**
 * A regular expression that finds bytes at a place within other bytes, over their base64 text (either alphabet, padded
 * or not). Three bytes are four characters, so bytes in the middle have three encodings.
 */
export function base64Pattern(bytes: Uint8Array, place: "start" | "middle" | "end"): string {
  if (place === "start") return `^${characters(bytes, 0, false)}`;
  const ways = [0, 1, 2].map((offset) => characters(bytes, offset, place === "end"));
  return `^(?:.{4})*(?:${ways.join("|")})${place === "end" ? "=*$" : ""}`;
}

/** The characters that encode the bytes after `offset` unknown ones; `last` if no bytes follow. */
function characters(bytes: Uint8Array, offset: number, last: boolean): string {
  const known = Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("");
  const bits = "?".repeat(offset * 8) + known;
  const whole = bits.padEnd(Math.ceil(bits.length / 6) * 6, last ? "0" : "?");
  return (whole.match(/.{6}/g) ?? []).map((six) => character(six)).join("");
}

function character(bits: string): string {
  if (bits === "??????") return ".";
  const pattern = new RegExp(`^${bits.replaceAll("?", ".")}$`);
  const fitting = [...alphabet].filter((_, value) => pattern.test(value.toString(2).padStart(6, "0")));
  const either = fitting
    .map((character) => (character === "+" ? "+\\-" : character === "/" ? "\\/_" : character))
    .join("");
  return either.length === 1 ? either : `[${either}]`;
}
