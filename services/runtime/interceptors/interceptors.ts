import type { Interceptor } from "@connectrpc/connect";
import { createDenialInterceptor } from "../audit/denial-interceptor.ts";
import type { Denial } from "../audit/denial-log.ts";
import { createAccessInterceptor, createAuthorize } from "../auth/access.ts";
import type { Authenticate } from "../auth/authenticate.ts";
import { createCredentialWatch } from "../auth/credential-watch.ts";
import type { ReadPosition } from "../db/read-position.ts";
import { createRateLimitInterceptor, type RateLimits } from "../limits/rate-limits.ts";
import type { Logger } from "../telemetry/log.ts";
import { createRpcTelemetryInterceptor } from "../telemetry/rpc-telemetry.ts";
import type { Clock } from "../values/clock.ts";
import { createIds } from "../values/ids.ts";
import { createRequestIdInterceptor } from "./correlation-id.ts";
import { deadlineInterceptor } from "./deadline.ts";
import { errorMappingInterceptor } from "./error-mapping.ts";
import { createReadPositionInterceptor } from "./read-position.ts";
import { createValidationInterceptor } from "./validation.ts";

export interface InterceptorOptions {
  readonly authenticate: Authenticate;
  readonly log: Logger;
  readonly clock: Clock;
  /** Limits of authenticated callers. Default: none. */
  readonly rateLimits?: RateLimits;
  /** How far this process has written, see `createReadPositionInterceptor`. Default: positions are ignored. */
  readonly position?: ReadPosition;
  /** Called for rejected attempts at audited methods. */
  readonly onDenied?: (denial: Denial) => void;
}

/**
 * Creates the interceptors of every RPC, on every wire, in this order (the first is outermost):
 * 1. request id: taken from `x-request-id` if well-formed, else generated; in context, response and log;
 * 2. telemetry: one log line and the RPC metrics, with the code that the caller received;
 * 3. errors: every exception becomes a ConnectError that is safe to expose and carries an ErrorInfo;
 * 4. audit: rejected attempts at audited methods are reported;
 * 5. deadline: the call ends when its deadline passes or the caller cancels, even if the handler does not;
 * 6. auth: credential → principal, and the method's declared access; streams end with their credential;
 * 7. rate limits: requests and open streams per key, per tenant, and per method;
 * 8. validation: the rules of the proto, on each message, all violations at once;
 * 9. read position: what reads on a replica must include.
 */
export function createInterceptors(options: InterceptorOptions): Interceptor[] {
  const { authenticate, clock, rateLimits, position } = options;
  return [
    ...createReporting(options),
    deadlineInterceptor,
    createAccessInterceptor(createAuthorize(authenticate), createCredentialWatch({ authenticate, clock })),
    ...(rateLimits === undefined ? [] : [createRateLimitInterceptor(rateLimits)]),
    createValidationInterceptor(),
    ...(position === undefined ? [] : [createReadPositionInterceptor(position)]),
  ];
}

/** The outer interceptors, which also apply to calls rejected before their body is read. */
export function createReporting({ log, clock, onDenied }: InterceptorOptions): Interceptor[] {
  return [
    createRequestIdInterceptor(createIds(clock)),
    createRpcTelemetryInterceptor({ log }),
    errorMappingInterceptor,
    ...(onDenied === undefined ? [] : [createDenialInterceptor(onDenied)]),
  ];
}
