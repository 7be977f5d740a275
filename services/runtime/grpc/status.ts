import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { ServiceError, StatusObject, status } from "@grpc/grpc-js";
import { BadRequestSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { type Status, StatusSchema } from "../../../gen/google/rpc/status_pb.js";
import { type WireDetail, wireDetails } from "../call/wire-error.ts";
import { headersOf, metadataOf } from "./metadata.ts";

const detailsKey = "grpc-status-details-bin";

/**
 * Trailers are headers, which HTTP/2 peers reject beyond their limit (64 KiB in Node, 16 or 8 elsewhere); the caller
 * would then receive no error at all.
 */
const maxDetailBytes = 6 * 1024;
const maxMessageLength = 1024;

/**
 * Converts an error for grpc-js: code and message in the status, the whole `google.rpc.Status` in the trailers, beside
 * the handler's own.
 */
export function statusOf(error: ConnectError, trailer: Headers): StatusObject {
  const message = shortened(error.rawMessage);
  const metadata = metadataOf(trailer);
  if (!error.isWireError) {
    metadata.merge(metadataOf(error.metadata));
  }
  const details = wireDetails(error);
  if (details.length > 0) {
    const bytes = toBinary(StatusSchema, fitting(error.code, message, details));
    metadata.set(detailsKey, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }
  return { code: error.code as number as status, details: message, metadata };
}

/** Converts a failed call's status to an error, with the details of the trailers if they can be decoded. */
export function errorOf(failure: ServiceError | StatusObject): ConnectError {
  const [bytes] = failure.metadata.get(detailsKey);
  const status = bytes instanceof Buffer ? parsed(bytes) : undefined;
  const code = failure.code in Code ? (failure.code as number as Code) : Code.Unknown;
  const error = new ConnectError(status?.message ?? failure.details, code, headersOf(failure.metadata));
  error.details = (status?.details ?? []).map(({ typeUrl, value }) => ({
    type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
    value,
  }));
  error.isWireError = true;
  return error;
}

function parsed(bytes: Uint8Array): Status | undefined {
  try {
    return fromBinary(StatusSchema, bytes);
  } catch {
    return undefined;
  }
}

/**
 * Shrinks the status to fit into a trailer: first the last violations of a BadRequest, then whole details are dropped.
 */
function fitting(code: Code, message: string, details: readonly WireDetail[]): Status {
  let room = maxDetailBytes;
  const kept: WireDetail[] = [];
  for (const detail of details) {
    const fits = detail.value.length <= room ? detail : cutToFit(detail, room);
    if (fits !== undefined) {
      kept.push(fits);
      room -= fits.value.length;
    }
  }
  return create(StatusSchema, {
    code,
    message,
    details: kept.map(({ type, value }) => ({ typeUrl: `type.googleapis.com/${type}`, value })),
  });
}

function cutToFit(detail: WireDetail, room: number): WireDetail | undefined {
  if (detail.type !== BadRequestSchema.typeName) {
    return undefined;
  }
  const { fieldViolations } = fromBinary(BadRequestSchema, detail.value);
  for (let count = fieldViolations.length >> 1; count > 0; count >>= 1) {
    const value = toBinary(
      BadRequestSchema,
      create(BadRequestSchema, { fieldViolations: fieldViolations.slice(0, count) }),
    );
    if (value.length <= room) {
      return { type: detail.type, value };
    }
  }
  return undefined;
}

/**
 * Percent-encoding fails on half a surrogate pair, so there must be none. The message is cut to a sentence's length.
 */
function shortened(message: string): string {
  const whole = message.toWellFormed();
  return whole.length <= maxMessageLength ? whole : `${whole.slice(0, maxMessageLength).toWellFormed()}…`;
}
