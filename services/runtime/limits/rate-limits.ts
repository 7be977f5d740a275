import type { Interceptor, StreamResponse } from "@connectrpc/connect";
import { actorOf, type Principal, principalKey } from "../context-values.ts";
import { rateLimited } from "../errors.ts";
import type { Quota, RateLimiter } from "./rate-limiter.ts";
import type { Slots } from "./stream-slots.ts";

/** Limits for authenticated callers, read at each call. Undefined ones are not enforced. */
export interface RateLimits {
  /** Requests of one key or JWT subject. */
  readonly perKey?: RateLimiter | undefined;
  /** Requests of one tenant. */
  readonly perTenant?: RateLimiter | undefined;
  /** Requests of one key to one method, by the method's full name, `docket.order.v1.OrderService/ListOrders`. */
  readonly perMethod?: Pick<ReadonlyMap<string, RateLimiter>, "get">;
  /** Open streams per key and per tenant. */
  readonly streamsPerKey?: Slots | undefined;
  readonly streamsPerTenant?: Slots | undefined;
}

/** Suggested delay before retrying a stream that found no free slot. */
const slotRetryMs = 1000;

/**
 * Enforces the limits: RESOURCE_EXHAUSTED with QuotaFailure and RetryInfo, and `Retry-After`. Responses and errors
 * report the limit closest to exhaustion in `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` (seconds).
 * Open methods and Docket's own services are exempt.
 */
export function createRateLimitInterceptor(limits: RateLimits): Interceptor {
  return (next) => async (request) => {
    const principal = request.contextValues.get(principalKey);
    if (principal === undefined || principal.kind === "service") {
      return next(request);
    }
    const method = `${request.service.typeName}/${request.method.name}`;
    const quota = await useAll(limits, principal, method);
    const release = request.stream ? takeSlots(limits, principal) : undefined;
    try {
      const response = await next(request);
      if (quota !== undefined) {
        setHeaders(response.header, quota);
      }
      return response.stream && release !== undefined ? releasing(response, request.signal, release) : response;
    } catch (error) {
      release?.();
      throw error;
    }
  };
}

/**
 * Counts the call under every limit.
 * @returns The limit closest to exhaustion.
 * @throws if one is exceeded.
 */
async function useAll(limits: RateLimits, principal: Principal, method: string): Promise<Quota | undefined> {
  const key = keyOf(principal);
  const uses: [RateLimiter | undefined, string, string][] = [
    [limits.perMethod?.get(method), `${method} ${key}`, `requests of this key to ${method}`],
    [limits.perKey, key, "requests of this key"],
    [limits.perTenant, principal.tenant, "requests of this tenant"],
  ];
  let closest: Quota | undefined;
  for (const [limiter, id, subject] of uses) {
    if (limiter === undefined) {
      continue;
    }
    const quota = await limiter.use(id);
    if (!quota.allowed) {
      const description = `at most ${quota.limit} ${subject} in ${limiter.windowSeconds} s`;
      const refusal = rateLimited(subject, description, quota.resetMs);
      setHeaders(refusal.metadata, quota);
      throw refusal;
    }
    if (closest === undefined || quota.remaining < closest.remaining) {
      closest = quota;
    }
  }
  return closest;
}

function takeSlots(limits: RateLimits, principal: Principal): () => void {
  const ofKey = takeSlot(limits.streamsPerKey, keyOf(principal), "open streams of this key");
  try {
    const ofTenant = takeSlot(limits.streamsPerTenant, principal.tenant, "open streams of this tenant");
    return () => {
      ofKey();
      ofTenant();
    };
  } catch (error) {
    ofKey();
    throw error;
  }
}

function takeSlot(slots: Slots | undefined, key: string, subject: string): () => void {
  const release = slots === undefined ? () => {} : slots.take(key);
  if (release === undefined) {
    throw rateLimited(subject, `at most ${slots?.limit} ${subject}`, slotRetryMs);
  }
  return release;
}

function keyOf(principal: Principal): string {
  return `${principal.tenant} ${actorOf(principal)}`;
}

/** The response, which releases its slot after its last message, or when the call ends first. */
function releasing(response: StreamResponse, signal: AbortSignal, release: () => void): StreamResponse {
  if (signal.aborted) {
    release();
  }
  signal.addEventListener("abort", release, { once: true });
  async function* relay() {
    try {
      yield* response.message;
    } finally {
      signal.removeEventListener("abort", release);
      release();
    }
  }
  return { ...response, message: relay() } as StreamResponse;
}

function setHeaders(header: Headers, { limit, remaining, resetMs }: Quota): void {
  header.set("ratelimit-limit", String(limit));
  header.set("ratelimit-remaining", String(remaining));
  header.set("ratelimit-reset", String(Math.ceil(resetMs / 1000)));
}
