import { create, toBinary } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";

/** An encoded detail: full type name and bytes. */
export interface WireDetail {
  readonly type: string;
  readonly value: Uint8Array;
}

/** The error's details in encoded form, for local and received errors. */
export function wireDetails(error: ConnectError): WireDetail[] {
  return error.details.map((detail) =>
    "desc" in detail
      ? {
          type: detail.desc.typeName,
          value: toBinary(detail.desc, create(detail.desc, detail.value)),
        }
      : { type: detail.type, value: detail.value },
  );
}

/**
 * Converts the error to what another machine would have received: code, message, metadata and details, without cause
 * and stack.
 */
export function asReceived(error: ConnectError): ConnectError {
  const received = new ConnectError(error.rawMessage, error.code, error.metadata);
  received.details = wireDetails(error);
  received.isWireError = true;
  return received;
}
