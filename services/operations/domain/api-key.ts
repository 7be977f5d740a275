import { createHash, randomBytes } from "node:crypto";

/** Prefix of every key, by which scanners and people recognize a leaked key. */
const marker = "dk_";

/** The id of the configured key. */
export const configuredKeyId = "admin";

/** Length of the stored key prefix that identifies a key to people. */
const prefixLength = 10;

/** Generates a key: `dk_` and 256 random bits in base64url. `random` returns the given number of random bytes. */
export function generateKey(random: (size: number) => Uint8Array = randomBytes): string {
  return marker + Buffer.from(random(32)).toString("base64url");
}

/**
 * Returns the stored hash of a key: its SHA-256 in hex. A slow hash would add nothing, as a key has 256 random bits and
 * cannot be guessed.
 */
export function hashKey(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

/** Returns the first characters of a key. */
export function prefixOf(key: string): string {
  return key.slice(0, prefixLength);
}

/** Returns whether a key is valid at a time (epoch milliseconds). */
export function isUsable(key: { expires_at: number | null; revoked_at: number | null }, nowMs: number): boolean {
  return key.revoked_at === null && (key.expires_at === null || key.expires_at > nowMs);
}
