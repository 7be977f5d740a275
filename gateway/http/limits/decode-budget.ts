import { Code, type ConnectError } from "@connectrpc/connect";
import { gatewayError } from "../../errors.ts";

/**
 * Bounds the bytes into which requests are being decompressed concurrently, over all requests that share the budget.
 */
export interface DecodeBudget {
  /**
   * Reserves bytes, in the order of the calls; waits if too few are available. The caller must {@link release} them.
   *
   * @throws ConnectError RESOURCE_EXHAUSTED (429 with `Retry-After`) if the wait times out.
   */
  reserve(bytes: number): Promise<void> | undefined;
  /** Returns bytes to the budget. */
  release(bytes: number): void;
}

/** Limits of a {@link DecodeBudget}. */
export interface DecodeBudgetOptions {
  /** Default 256 MiB. */
  readonly maxBytes?: number;
  /** How long a request waits for its reservation, in milliseconds. Default 5 s. */
  readonly maxWaitMs?: number;
}

/** Creates a budget. A reservation larger than the whole budget waits until nothing else is reserved. */
export function createDecodeBudget(options: DecodeBudgetOptions = {}): DecodeBudget {
  const { maxBytes = 256 * 1024 * 1024, maxWaitMs = 5000 } = options;
  const waiting = new Set<{ bytes: number; start: () => void }>();
  let reserved = 0;

  const fits = (bytes: number): boolean => reserved === 0 || reserved + bytes <= maxBytes;

  const startNext = (): void => {
    for (const next of waiting) {
      if (!fits(next.bytes)) return;
      waiting.delete(next);
      reserved += next.bytes;
      next.start();
    }
  };

  return {
    reserve(bytes) {
      if (waiting.size === 0 && fits(bytes)) {
        reserved += bytes;
        return undefined;
      }
      return new Promise((resolve, reject) => {
        const entry = {
          bytes,
          start: () => {
            clearTimeout(timer);
            resolve();
          },
        };
        const timer = setTimeout(() => {
          waiting.delete(entry);
          reject(overloaded());
          startNext();
        }, maxWaitMs);
        waiting.add(entry);
      });
    },
    release(bytes) {
      reserved -= bytes;
      startNext();
    },
  };
}

/** Default budget, shared by all of the process. */
export const processBudget: DecodeBudget = createDecodeBudget();

function overloaded(): ConnectError {
  return gatewayError({
    code: Code.ResourceExhausted,
    reason: "TOO_MANY_COMPRESSED_REQUESTS",
    message: "too many compressed requests are being decoded; try again in a second, or send them uncompressed",
    headers: { "Retry-After": "1" },
  });
}
