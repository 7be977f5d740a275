const smallestNormal = 2 ** -126;

/**
 * A float as the double with the fewest digits that reads back as the same float: 0.1 for 0.10000000149011612, which is
 * what a double makes of the float 0.1. Not finite ones are as they were.
 */
export function shortestFloat(value: number): number {
  const float = Math.fround(value);
  if (!Number.isFinite(float)) return value;
  // A number of six digits is another float than its neighbour of six digits, but for the subnormal ones.
  for (let digits = Math.abs(float) < smallestNormal ? 1 : 6; digits < 9; digits += 1) {
    const short = Number(float.toPrecision(digits));
    if (Math.fround(short) === float) return short;
  }
  return Number(float.toPrecision(9));
}
