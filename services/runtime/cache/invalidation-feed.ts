/** What the subscriber of invalidations does to the local levels. */
export interface FeedListener {
  invalidate(cache: string, key: string, version: number): void;
  /** Drops the values of a bucket, because an invalidation of it may have been missed. */
  flush(bucket: number): void;
}

/** Position in the invalidations of a bucket. Another run of the server may have lost some of the earlier run's. */
export interface Position {
  readonly run: string;
  readonly sequence: number;
}

/** Follows the invalidations of all buckets, and notices those that did not arrive. Knows no connection. */
export interface InvalidationFeed {
  /** Applies a message. */
  receive(bucket: number, message: string): void;
  /** The server's position of a bucket. Returns whether everything up to it has been received. */
  isComplete(bucket: number, server: Position): boolean;
  /** Flushes the bucket and continues at the server's position. */
  skipTo(bucket: number, server: Position): void;
}

/** Text of a message, to which the script prepends the position. */
export function feedMessage(cache: string, key: string, version: number): string {
  return JSON.stringify([cache, key, version]);
}

const messageForm = /^(\w+) (\d+) (.*)$/s;

export function createInvalidationFeed(listener: FeedListener): InvalidationFeed {
  const positions = new Map<number, Position>();

  const skipTo = (bucket: number, server: Position) => {
    positions.set(bucket, server);
    listener.flush(bucket);
  };

  return {
    receive(bucket, message) {
      const [, run = "", digits = "", body = "[]"] = messageForm.exec(message) ?? [];
      const sequence = Number(digits);
      const [cache, key, version] = JSON.parse(body) as [string?, string?, number?];
      const known = positions.get(bucket);
      const isNext = known?.run === run && sequence <= known.sequence + 1;
      if (!isNext) {
        skipTo(bucket, { run, sequence });
      } else if (sequence > known.sequence) {
        positions.set(bucket, { run, sequence });
      }
      if (cache !== undefined && key !== undefined && version !== undefined) {
        listener.invalidate(cache, key, version);
      }
    },
    isComplete(bucket, { run, sequence }) {
      const known = positions.get(bucket);
      return known?.run === run && known.sequence >= sequence;
    },
    skipTo,
  };
}
