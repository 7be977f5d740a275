import { getOption } from "@bufbuild/protobuf";
import { Code, ConnectError, type Interceptor, type StreamRequest, type UnaryRequest } from "@connectrpc/connect";
import { AuditEvent_Outcome as Outcome } from "../../../gen/docket/audit/v1/audit_pb.js";
import { audited } from "../../../gen/docket/options/v1/options_pb.js";
import { principalKey } from "../context-values.ts";
import { reasonOf } from "../errors.ts";
import { auditEventOf, reportDenialKey } from "./audit.ts";
import type { Denial } from "./denial-log.ts";

const MAX_LENGTH = { resource: 255, reason: 64 };

/**
 * Reports calls to audited methods that fail with PERMISSION_DENIED or FAILED_PRECONDITION, and what handlers of any
 * method report with `reportDenied`. Unauthenticated callers are not reported.
 */
export function createDenialInterceptor(report: (denial: Denial) => void): Interceptor {
  return (next) => async (request) => {
    request.contextValues.set(reportDenialKey, report);
    try {
      return await next(request);
    } catch (error) {
      if (error instanceof ConnectError && isRefusal(error.code) && getOption(request.method, audited)) {
        const denial = denialOf(request, error);
        if (denial !== undefined) {
          report(denial);
        }
      }
      throw error;
    }
  };
}

function isRefusal(code: Code): boolean {
  return code === Code.PermissionDenied || code === Code.FailedPrecondition;
}

function denialOf(request: UnaryRequest | StreamRequest, error: ConnectError): Denial | undefined {
  const { contextValues: values, method } = request;
  const principal = values.get(principalKey);
  if (principal === undefined) {
    return undefined;
  }
  const resource = request.stream ? "" : nameIn(request.message);
  const event = auditEventOf({ values, method }, { resource });
  if (event === undefined) {
    return undefined;
  }
  const reason = (reasonOf(error) ?? Code[error.code]).slice(0, MAX_LENGTH.reason);
  return { tenant: principal.tenant, event: { ...event, outcome: Outcome.DENIED, reason } };
}

/** The resource name in a request; empty if it has none or was rejected unread. */
function nameIn(message: object): string {
  const name = "name" in message ? message.name : "";
  return typeof name === "string" ? name.slice(0, MAX_LENGTH.resource) : "";
}
