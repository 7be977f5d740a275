import { createHash, randomBytes } from "node:crypto";

/** What every key begins with, so that a leaked one is recognized by scanners and by people. */
const marker = "dk_";

/** The id of the key that the configuration gives. */
export const configuredKeyId = "admin";

/** How many of a key's first characters are kept to recognize it by. */
const prefixLength = 10;

/** Makes a key: `dk_` and 256 random bits in base64url. `random` gives that many random bytes. */
export function generateKey(random: (size: number) => Uint8Array = randomBytes): string {
  return marker + Buffer.from(random(32)).toString("base64url");
}

/**
 * What is stored of a key: its SHA-256 in hex. A slow hash would gain nothing, as a key has 256 random bits and cannot
 * be guessed.
 */
export function hashKey(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

/** The first characters of a key. */
export function prefixOf(key: string): string {
  return key.slice(0, prefixLength);
}

/** Whether a key may be used at a moment (epoch milliseconds). */
export function isUsable(key: { expires_at: number | null; revoked_at: number | null }, nowMs: number): boolean {
  return key.revoked_at === null && (key.expires_at === null || key.expires_at > nowMs);
}
