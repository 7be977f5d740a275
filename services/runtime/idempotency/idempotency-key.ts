import type { HandlerContext } from "@connectrpc/connect";
import { actorOf, principalKey } from "../context-values.ts";
import { invalidArgument } from "../errors.ts";

const HEADER = "Idempotency-Key";
const FIELD = "request_id";
const MAX_LENGTH = 128;

/** An idempotency key and its owner. */
export interface RequestKey {
  readonly id: string;
  /**
   * The principal that may repeat the request. Other principals of the tenant, which may lack its scopes, do not
   * receive the stored response. Empty for Docket's own services, which act for the tenant.
   */
  readonly caller: string;
}

/**
 * Reads the idempotency key: the request field `request_id` (AIP-155) or the header `Idempotency-Key`, optionally in
 * double quotes (draft-ietf-httpapi-idempotency-key-header). Undefined if neither is set.
 *
 * @throws ConnectError INVALID_ARGUMENT if both are set and differ, if the header is blank, or if the key is not 1 to
 * 128 printable ASCII characters.
 */
export function idempotencyKeyOf(
  request: { readonly requestId: string },
  context: Pick<HandlerContext, "requestHeader" | "values">,
): RequestKey | undefined {
  const value = context.requestHeader.get(HEADER);
  const header = unquoted(value ?? "");
  const { requestId } = request;
  if (requestId !== "" && header !== "" && requestId !== header) {
    throw invalidArgument([{ field: FIELD, description: `differs from the header ${HEADER}` }]);
  }
  if (value !== null && header.trim() === "") {
    throw invalidArgument([{ field: HEADER, description: "must not be blank: give a key, or leave the header out" }]);
  }
  const key = requestId || header;
  if (key === "") {
    return undefined;
  }
  if (key.length > MAX_LENGTH || !/^[!-~]([ -~]*[!-~])?$/.test(key)) {
    const field = requestId === "" ? HEADER : FIELD;
    throw invalidArgument([{ field, description: `must be 1 to ${MAX_LENGTH} printable ASCII characters` }]);
  }
  const principal = context.values.get(principalKey);
  return { id: key, caller: principal === undefined || principal.kind === "service" ? "" : actorOf(principal) };
}

function unquoted(text: string): string {
  return /^"(.*)"$/.exec(text.trim())?.[1] ?? text.trim();
}
