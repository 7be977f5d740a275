import { setTimeout as sleep } from "node:timers/promises";
import { type DescMethod, getOption, hasOption, type Message } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { http } from "../../../gen/google/api/annotations_pb.js";
import { repeatableKey } from "../context-values.ts";
import { type Backoff, fullJitterMs } from "../values/backoff.ts";

export interface RetryOptions {
  /** Total attempts. Default 6, which with the delays covers the restart of a process. */
  readonly attempts?: number;
  /** Delays between attempts. Default 100 ms up to 1 s. */
  readonly backoff?: Backoff;
  readonly random?: () => number;
}

/**
 * Retries unary calls that failed with UNAVAILABLE, within the call's deadline, if retrying is safe: the contract
 * declares the method idempotent or its HTTP rule is GET, or the request carries an idempotency key (`request_id`).
 * Streams are never retried, nor are calls with `repeatableKey` set to false.
 */
export function createRetryInterceptor(options: RetryOptions = {}): Interceptor {
  const { attempts = 6, backoff = { initialMs: 100, maxMs: 1_000 }, random = Math.random } = options;
  return (next) => async (request) => {
    if (request.stream || !request.contextValues.get(repeatableKey) || !isRepeatable(request.method, request.message)) {
      return next(request);
    }
    for (let attempt = 1; ; attempt++) {
      try {
        return await next(request);
      } catch (error) {
        const unavailable = error instanceof ConnectError && error.code === Code.Unavailable;
        if (!unavailable || attempt >= attempts || request.signal.aborted) {
          throw error;
        }
        await sleep(fullJitterMs(attempt, backoff, random), undefined, { signal: request.signal }).catch(() => {
          throw error;
        });
      }
    }
  };
}

function isRepeatable(method: DescMethod, message: Message): boolean {
  if (method.idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN) {
    return true;
  }
  if (hasOption(method, http) && getOption(method, http).pattern.case === "get") {
    return true;
  }
  const { requestId } = message as { requestId?: unknown };
  return "requestId" in method.input.field && typeof requestId === "string" && requestId !== "";
}
