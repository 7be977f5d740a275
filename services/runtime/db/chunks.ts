/** Characters and bytes a statement: far below the packet of 16 MiB that MariaDB accepts, once they are escaped. */
const MAX_SIZE = 2 * 1024 * 1024;

/**
 * Splits what is to be written by one statement. A chunk has at most `maxItems` items, and no more than 2 MiB unless a
 * single item is larger. `sizeOf` counts characters and bytes.
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
