import { getRandomValues } from "node:crypto";
import type { Clock } from "./clock.ts";

/** Generates identifiers. */
export interface Ids {
  /**
   * Returns a ULID (github.com/ulid/spec) in lower case: 26 characters, 48 bits of time and 80 random bits. Ids of one
   * generator are strictly ascending, even within a millisecond and when the clock goes back; ids of different
   * processes are unique for practical purposes and sort roughly by time.
   */
  next(): string;
}

/** Crockford's base 32 in lower case, in the order of the characters' code points. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const TIME_LENGTH = 10;
const RANDOM_LENGTH = 16;
/** Randomness is drawn for many ids at once, because each draw is a system call. */
const POOL_BYTES = 4096;

/** Fills the array with random bytes, as `crypto.getRandomValues` does. */
export type RandomBytes = (target: Uint8Array<ArrayBuffer>) => unknown;

/** Creates an id generator. `random` is for tests and the simulator; default: the system's secure source. */
export function createIds(clock: Clock, random: RandomBytes = getRandomValues): Ids {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  let lastMs = -1;
  let timePart = "";
  /** The random part as base 32 digits, incremented within a millisecond. */
  const digits = new Uint8Array(RANDOM_LENGTH);

  const draw = () => {
    if (used + RANDOM_LENGTH > POOL_BYTES) {
      random(pool);
      used = 0;
    }
    for (let i = 0; i < RANDOM_LENGTH; i++) {
      digits[i] = (pool[used + i] ?? 0) & 31;
    }
    used += RANDOM_LENGTH;
  };

  return {
    next() {
      const nowMs = clock.now().getTime();
      if (nowMs > lastMs) {
        lastMs = nowMs;
        timePart = encodeTime(nowMs);
        draw();
      } else if (!increment(digits)) {
        lastMs += 1;
        timePart = encodeTime(lastMs);
        draw();
      }
      let id = timePart;
      for (const digit of digits) {
        id += ALPHABET[digit];
      }
      return id;
    },
  };
}

/**
 * A bound that sorts before every id generated at this moment (epoch milliseconds) or later, and after every earlier
 * one.
 */
export function firstIdAt(ms: number): string {
  return encodeTime(Math.max(0, ms));
}

/** Whether the text has the form of an id of `Ids.next()`. */
export function isId(text: string): boolean {
  return /^[0-7][0-9a-hjkmnp-tv-z]{25}$/.test(text);
}

function encodeTime(ms: number): string {
  let rest = ms;
  let text = "";
  for (let i = 0; i < TIME_LENGTH; i++) {
    text = ALPHABET[rest % 32] + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

/** Increments the number; returns false on overflow, which leaves zero. */
function increment(digits: Uint8Array): boolean {
  for (let i = digits.length - 1; i >= 0; i--) {
    const digit = digits[i] ?? 0;
    if (digit < 31) {
      digits[i] = digit + 1;
      return true;
    }
    digits[i] = 0;
  }
  return false;
}
