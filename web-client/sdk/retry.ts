import { type DescMessage, type DescMethod, getOption, type Message } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { Interceptor } from "@connectrpc/connect";
import { http } from "../../gen/google/api/annotations_pb.js";
import { type DocketError, toDocketError } from "./errors.ts";

/** Retry policy. */
export interface RetryOptions {
  /** Maximum attempts per call; 1 disables retries. Default 4. */
  readonly maxAttempts?: number | undefined;
  /**
   * Upper bound of the delay before the first retry, in milliseconds. Doubles with each retry; with full jitter.
   * Default 100.
   */
  readonly initialMs?: number | undefined;
  /** Maximum delay, in milliseconds. Default 5,000. */
  readonly maxMs?: number | undefined;
}

/**
 * Retries calls after transient failures: reads, and mutations with a `request_id`, which stays the same across all
 * attempts, so that a repeated order is one order. If the message has the field and the caller left it empty, it is
 * generated.
 */
export function createRetryInterceptor(options: RetryOptions = {}): Interceptor {
  const { maxAttempts = 4, initialMs = 100, maxMs = 5000 } = options;
  return (next) => async (request) => {
    if (request.stream) {
      return next(request);
    }
    const repeatable = ensureRequestId(request.method.input, request.message) || isRead(request.method);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await next(request);
      } catch (error) {
        const failure = toDocketError(error);
        if (!repeatable || attempt >= maxAttempts || request.signal.aborted || !isPassing(failure)) {
          throw error;
        }
        const pauseMs = Math.random() * Math.min(maxMs, initialMs * 2 ** (attempt - 1));
        await pause(Math.max(failure.retryAfterMs ?? 0, pauseMs), request.signal);
      }
    }
  };
}

/** Returns whether the message has a `request_id`, after filling an empty one. */
function ensureRequestId(schema: DescMessage, message: Message): boolean {
  const field = schema.fields.find((candidate) => candidate.name === "request_id");
  if (field === undefined) {
    return false;
  }
  const view = reflect(schema, message);
  if (!view.isSet(field)) {
    view.set(field, crypto.randomUUID());
  }
  return true;
}

function isRead(method: DescMethod): boolean {
  return (
    method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS ||
    getOption(method, http).pattern.case === "get"
  );
}

/**
 * Codes after which the same request may succeed. ABORTED only with retry advice from the server: a stale etag stays
 * stale.
 */
function isPassing({ code, retryAfterMs }: DocketError): boolean {
  return (
    code === "UNAVAILABLE" || ((code === "ABORTED" || code === "RESOURCE_EXHAUSTED") && retryAfterMs !== undefined)
  );
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(finish, ms);
    signal.addEventListener("abort", onAbort);
    function onAbort() {
      clearTimeout(timer);
      reject(signal.reason);
    }
    function finish() {
      signal.removeEventListener("abort", onAbort);
      resolve();
    }
  });
}
