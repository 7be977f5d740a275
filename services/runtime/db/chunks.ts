/** Most characters and bytes per statement: far below MariaDB's packet limit of 16 MiB, even when escaped. */
const MAX_SIZE = 2 * 1024 * 1024;

/**
 * Splits items into chunks, one per statement. A chunk has at most `maxItems` items and 2 MiB, unless a single item is
 * larger. `sizeOf` counts characters and bytes.
 */
export function chunksOf<T>(
  items: readonly T[],
  { maxItems, sizeOf }: { maxItems: number; sizeOf(item: T): number },
): T[][] {
  const chunks: T[][] = [];
  let chunk: T[] = [];
  let size = 0;
  for (const item of items) {
    const itemSize = sizeOf(item);
    if (chunk.length > 0 && (chunk.length >= maxItems || size + itemSize > MAX_SIZE)) {
      chunks.push(chunk);
      chunk = [];
      size = 0;
    }
    chunk.push(item);
    size += itemSize;
  }
  if (chunk.length > 0) {
    chunks.push(chunk);
  }
  return chunks;
}
