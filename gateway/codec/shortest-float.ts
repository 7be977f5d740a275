const smallestNormal = 2 ** -126;

/**
 * Converts a float to the double with the fewest digits that reads back as the same float: 0.1 for 0.10000000149011612,
 * the double value of the float 0.1. Non-finite values are unchanged.
 */
export function shortestFloat(value: number): number {
  const float = Math.fround(value);
  if (!Number.isFinite(float)) return value;
  // Distinct six-digit numbers are distinct floats, except for subnormal ones.
  for (let digits = Math.abs(float) < smallestNormal ? 1 : 6; digits < 9; digits += 1) {
    const short = Number(float.toPrecision(digits));
    if (Math.fround(short) === float) return short;
  }
  return Number(float.toPrecision(9));
}
