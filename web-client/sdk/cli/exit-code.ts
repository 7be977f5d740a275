import { DocketError, type ErrorCode } from "../errors.ts";

/** How the program ends, so that scripts can tell failures apart. 2 is wrong usage, from the argument parser. */
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

/** The exit code of an error and what to print of it: of a call to Docket, or of this machine (a file that is not there). */
export function explain(error: unknown): { exitCode: number; text: string } {
  if (!(error instanceof DocketError)) {
    return { exitCode: exitCodes.failed, text: error instanceof Error ? error.message : String(error) };
  }
  return { exitCode: byCode[error.code] ?? exitCodes.failed, text: [headline(error), ...details(error)].join("\n") };
}

function headline({ code, reason, message }: DocketError): string {
  return `${code}${reason && reason !== code ? ` (${reason})` : ""}: ${message}`;
}

function details(failure: DocketError): string[] {
  const lines = [
    ...failure.fieldViolations.map(({ field, description }) => `  ${field}: ${description}`),
    ...failure.preconditionViolations.map(({ subject, description }) => `  ${subject}: ${description}`),
  ];
  if (failure.code === "UNAUTHENTICATED") {
    lines.push("  Give a key with --key or DOCKET_API_KEY.");
  }
  if (failure.code === "UNAVAILABLE") {
    lines.push("  Is Docket running there? Say where with --url or DOCKET_URL.");
  }
  if (failure.requestId !== undefined && failure.code === "INTERNAL") {
    lines.push(`  The server's log has it under request id ${failure.requestId}.`);
  }
  return lines;
}
