const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The text of a duration: a whole number and its unit, such as `250ms`, `30s`, `15m`, `2h` or `7d`. */
export const durationPattern = /^\d+(ms|s|m|h|d)$/;

/** Milliseconds of a text that matches `durationPattern`. */
export function millisecondsOf(text: string): number {
  const unit = text.replace(/^\d+/, "");
  return Number.parseInt(text, 10) * unitMs[unit as keyof typeof unitMs];
}

/** Writes a whole number of milliseconds in the largest unit without a remainder, for example 90,000 as `90s`. */
export function durationText(ms: number): string {
  const units = Object.entries(unitMs).reverse();
  const [unit, size] = units.find(([, size]) => ms !== 0 && ms % size === 0) ?? ["ms", 1];
  return `${ms / size}${unit}`;
}
