import { create } from "@bufbuild/protobuf";
import type { Client, HandlerContext } from "@connectrpc/connect";
import {
  type AdminService,
  type Operator,
  Operator_Kind,
  OperatorSchema,
} from "../../../../gen/docket/admin/v1/admin_service_pb.js";
import { platformAdminScope } from "../../../runtime/auth/scopes.ts";
import { clientAddressKey, type Principal, principalOf } from "../../../runtime/context-values.ts";
import type { AdministeredService } from "../../context.ts";

export type AdminClient = Client<typeof AdminService>;

/** A client of the service's administration, for one call. */
export function clientOf({ client }: AdministeredService, call: HandlerContext): AdminClient {
  return client.for(principalOf(call).tenant, call);
}

/** The tenant whose resources the caller may name; empty for a platform administrator, who may name all. */
export function reachOf(call: HandlerContext): string {
  const { tenant, scopes } = principalOf(call);
  return scopes.has(platformAdminScope) ? "" : tenant;
}

const kinds = {
  api_key: Operator_Kind.API_KEY,
  jwt: Operator_Kind.JWT,
  service: Operator_Kind.SERVICE,
} as const satisfies Record<Principal["kind"], Operator_Kind>;

/** The caller, for the audit trail and the histories of other services. */
export function operatorOf(call: HandlerContext): Operator {
  const { kind, subject, tenant } = principalOf(call);
  return create(OperatorSchema, {
    kind: kinds[kind],
    subject,
    tenant,
    method: `${call.method.parent.typeName}/${call.method.name}`,
    clientAddress: call.values.get(clientAddressKey),
  });
}
