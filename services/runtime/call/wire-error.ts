import { create, toBinary } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";

/** A detail as it travels: its full type name and its bytes. */
export interface WireDetail {
  readonly type: string;
  readonly value: Uint8Array;
}

/** The error's details as they travel, whether they were made here or came from elsewhere. */
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
 * The error as a caller on another machine would have received it: code, message, metadata and details, without
 * the cause and the stack of the place where it was made.
 */
export function asReceived(error: ConnectError): ConnectError {
  const received = new ConnectError(error.rawMessage, error.code, error.metadata);
  received.details = wireDetails(error);
  received.isWireError = true;
  return received;
}
