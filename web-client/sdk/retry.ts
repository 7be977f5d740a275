import { type DescMessage, type DescMethod, getOption, type Message } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { Interceptor } from "@connectrpc/connect";
import { http } from "../../gen/google/api/annotations_pb.js";
import { type DocketError, toDocketError } from "./errors.ts";

/** When a call is tried again. */
export interface RetryOptions {
  /** How often a call is tried in all; 1 turns retries off. Default 4. */
  readonly maxAttempts?: number;
  /** The pause before the second try, in milliseconds; it doubles with each further one, and is drawn at random below that. Default 100. */
  readonly initialMs?: number;
  /** The longest pause, in milliseconds. Default 5,000. */
  readonly maxMs?: number;
}

/**
 * Tries calls again that failed for a passing reason: those that only read, and those that carry a `request_id`, which
 * stays the same over all tries, so that a repeated order is one order. Where the message has the field and the caller
 * left it empty, it is filled.
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

/** Whether the message carries a `request_id` now. */
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

/** Codes after which the same request may succeed. ABORTED only where the server says when: a stale etag stays stale. */
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
