import { Code, ConnectError } from "@connectrpc/connect";
import { deadlineExceeded, unavailable } from "../../../runtime/errors.ts";

const REASON = "SERVICES_UNAVAILABLE";

const awayCodes: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.DeadlineExceeded,
  // A version from before AdminService.
  Code.Unimplemented,
]);

/** Whether the error means that the service did not answer, rather than that it rejected the request. */
export function isAway(error: unknown): error is ConnectError {
  return error instanceof ConnectError && awayCodes.has(error.code);
}

/**
 * Some services did not answer, so the answer would be incomplete. DEADLINE_EXCEEDED, which is not repeated by clients,
 * if the wait for one of them was long already; else UNAVAILABLE.
 */
export function servicesAway(services: readonly string[], errors: readonly ConnectError[]): ConnectError {
  const message = `these services are not responding: ${services.join(", ")}`;
  const cause = errors[0];
  return errors.some(({ code }) => code === Code.DeadlineExceeded)
    ? deadlineExceeded(REASON, message, { cause })
    : unavailable(REASON, message, { metadata: { services: services.join(",") }, cause });
}
