import { ConnectError } from "@connectrpc/connect";
import { DocketError, type ErrorCode } from "../errors.ts";

/** Exit codes by which scripts can distinguish failures. The argument parser uses 2 for usage errors. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  refused: 3,
  notFound: 4,
  notAllowed: 5,
  unavailable: 6,
} as const;

const byCode: Partial<Record<ErrorCode, number>> = {
  INVALID_ARGUMENT: exitCodes.refused,
  FAILED_PRECONDITION: exitCodes.refused,
  ALREADY_EXISTS: exitCodes.refused,
  ABORTED: exitCodes.refused,
  OUT_OF_RANGE: exitCodes.refused,
  NOT_FOUND: exitCodes.notFound,
  UNAUTHENTICATED: exitCodes.notAllowed,
  PERMISSION_DENIED: exitCodes.notAllowed,
  UNAVAILABLE: exitCodes.unavailable,
  DEADLINE_EXCEEDED: exitCodes.unavailable,
  RESOURCE_EXHAUSTED: exitCodes.unavailable,
};

/**
 * Returns the exit code and message of an error: of a call to the Docket at `url`, or a local one, such as a missing
 * file.
 */
export function explain(error: unknown, url: string): { exitCode: number; text: string } {
  if (!(error instanceof DocketError)) {
    return { exitCode: exitCodes.failed, text: error instanceof Error ? error.message : String(error) };
  }
  const unreached = reasonUnreached(error);
  const text =
    unreached === undefined
      ? [headline(error), ...details(error)].join("\n")
      : `${error.code}: cannot reach ${url}: ${unreached}\n  Is Docket running there? Say where with --url or DOCKET_URL.`;
  return { exitCode: byCode[error.code] ?? exitCodes.failed, text };
}

/** Returns the system's reason for a missing response: `connect ECONNREFUSED 127.0.0.1:8080`. */
function reasonUnreached({ cause }: DocketError): string | undefined {
  const failure = cause instanceof ConnectError ? cause.cause : undefined;
  if (!(failure instanceof TypeError)) {
    return undefined;
  }
  const { cause: reason } = failure;
  if (!(reason instanceof Error)) {
    return failure.message;
  }
  // The error of a name with several addresses has only a code.
  return reason.message || ("code" in reason ? String(reason.code) : failure.message);
}

function headline({ code, reason, message, fieldViolations }: DocketError): string {
  const kind = `${code}${reason && reason !== code ? ` (${reason})` : ""}`;
  return fieldViolations.length > 1 ? kind : `${kind}: ${message}`;
}

/** Returns the details that are not in the headline. */
function details(failure: DocketError): string[] {
  const { fieldViolations, message } = failure;
  const lines = [
    ...fieldViolations
      .filter(({ description }) => fieldViolations.length > 1 || !message.includes(description))
      .map(({ field, description }) => `  ${field}: ${description}`),
    ...failure.preconditionViolations
      .filter(({ description }) => !message.includes(description))
      .map(({ subject, description }) => `  ${subject}: ${description}`),
  ];
  if (failure.code === "UNAUTHENTICATED") {
    lines.push("  Give a key with --key or DOCKET_API_KEY.");
  }
  if (failure.requestId !== undefined && failure.code === "INTERNAL") {
    lines.push(`  The server's log has it under request id ${failure.requestId}.`);
  }
  return lines;
}
