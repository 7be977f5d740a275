/** The seed of a random test: `DOCKET_TEST_SEED`, else another one each time. A test shows it when it fails. */
export const testSeed = Number(process.env["DOCKET_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

/** Whole numbers from zero up to `below`, the same ones for the same seed (Mulberry32). */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
