import type { ContextValues, HandlerContext } from "@connectrpc/connect";
import { type Operator, Operator_Kind } from "../../../gen/docket/admin/v1/admin_service_pb.js";
import type { AuditedCall } from "../audit/audit.ts";
import type { ParentCall } from "../call/service-client.ts";
import { clientAddressKey, inheritValues, type Principal, principalKey } from "../context-values.ts";

/** A call of AdminService as if the operator had called it, for audit, histories and calls to other services. */
export interface OperatorCall extends ParentCall, AuditedCall {
  readonly values: ContextValues;
}

const kinds = {
  [Operator_Kind.API_KEY]: "api_key",
  [Operator_Kind.JWT]: "jwt",
  [Operator_Kind.SERVICE]: "service",
  [Operator_Kind.KIND_UNSPECIFIED]: "service",
} as const satisfies Record<Operator_Kind, Principal["kind"]>;

/** The call as the operator's own, acting for the tenant of the resource. */
export function operatorCall(
  { signal, timeoutMs, values }: Pick<HandlerContext, "signal" | "timeoutMs" | "values">,
  { kind, subject, method, clientAddress }: Operator,
  tenant: string,
): OperatorCall {
  const [typeName = "", name = ""] = method.split("/");
  const own = inheritValues(values)
    .set(principalKey, { kind: kinds[kind], tenant, subject, scopes: new Set<string>() })
    .set(clientAddressKey, clientAddress);
  return { signal, timeoutMs, values: own, method: { name, parent: { typeName } } };
}
