/** Decompressed bytes that a message may have whatever its compressed size. */
const minExpandedBytes = 256 * 1024;

/** Beyond that: decompressed bytes for each compressed one. Real data stay far below it. */
export const maxExpansion = 100;

/** How large a compressed message may become, below any limit of bytes. */
export function maxExpandedBytes(compressedBytes: number): number {
  return Math.max(minExpandedBytes, maxExpansion * compressedBytes);
}
