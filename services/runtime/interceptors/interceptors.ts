import type { Interceptor } from "@connectrpc/connect";
import { createDenialInterceptor } from "../audit/denial-interceptor.ts";
import type { Denial } from "../audit/denial-log.ts";
import { createAccessInterceptor, createAuthorize } from "../auth/access.ts";
import type { Authenticate } from "../auth/authenticate.ts";
import { createCredentialWatch } from "../auth/credential-watch.ts";
import { createRateLimitInterceptor, type RateLimits } from "../limits/rate-limits.ts";
import type { Logger } from "../telemetry/log.ts";
import type { RpcMetrics } from "../telemetry/rpc-metrics.ts";
import { createRpcTelemetryInterceptor } from "../telemetry/rpc-telemetry.ts";
import type { Clock } from "../values/clock.ts";
import { createIds } from "../values/ids.ts";
import { createRequestIdInterceptor } from "./correlation-id.ts";
import { deadlineInterceptor } from "./deadline.ts";
import { errorMappingInterceptor } from "./error-mapping.ts";
import { createValidationInterceptor } from "./validation.ts";

export interface InterceptorOptions {
  readonly authenticate: Authenticate;
  readonly log: Logger;
  readonly metrics: RpcMetrics;
  readonly clock: Clock;
  /** Limits of authenticated callers; none where it is missing. */
  readonly rateLimits?: RateLimits;
  /** Told of refused attempts at audited methods. */
  readonly onDenied?: (denial: Denial) => void;
}

/**
 * What happens around every RPC, on every wire, once and in this order (the first is the outermost):
 *
 * 1. request id: taken from `x-request-id` where it is well formed, else made; in context, answer and log;
 * 2. telemetry: one log line and the RPC metrics, with the code that the caller really got;
 * 3. errors: whatever is thrown becomes a ConnectError that gives nothing away and carries an ErrorInfo;
 * 4. audit: refused attempts at audited methods are reported;
 * 5. deadline: the caller is answered when its deadline passes or it leaves, also if the handler sleeps on;
 * 6. auth: credential → principal, and the method's declared access; streams end with their credential;
 * 7. rate limits: requests and open streams of the key, its tenant, and of the method;
 * 8. validation: the rules of the proto, on each message, all violations at once.
 */
export function createInterceptors(options: InterceptorOptions): Interceptor[] {
  const { authenticate, clock, rateLimits } = options;
  return [
    ...createReporting(options),
    deadlineInterceptor,
    createAccessInterceptor(createAuthorize(authenticate), createCredentialWatch({ authenticate, clock })),
    ...(rateLimits === undefined ? [] : [createRateLimitInterceptor(rateLimits)]),
    createValidationInterceptor(),
  ];
}

/** The outer ones of these interceptors, which calls that are refused before their body is read go through too. */
export function createReporting({ log, metrics, clock, onDenied }: InterceptorOptions): Interceptor[] {
  return [
    createRequestIdInterceptor(createIds(clock)),
    createRpcTelemetryInterceptor({ log, metrics }),
    errorMappingInterceptor,
    ...(onDenied === undefined ? [] : [createDenialInterceptor(onDenied)]),
  ];
}
