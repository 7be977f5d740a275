/** Decompressed bytes allowed for any message, whatever its compressed size. */
const minExpandedBytes = 256 * 1024;

/** Beyond that: decompressed bytes per compressed byte. Real data stays far below this ratio. */
export const maxExpansion = 100;

/** The largest decompressed size of a message, before any limit in bytes. */
export function maxExpandedBytes(compressedBytes: number): number {
  return Math.max(minExpandedBytes, maxExpansion * compressedBytes);
}
