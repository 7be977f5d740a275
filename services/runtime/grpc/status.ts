import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { ServiceError, StatusObject, status } from "@grpc/grpc-js";
import { BadRequestSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { type Status, StatusSchema } from "../../../gen/google/rpc/status_pb.js";
import { type WireDetail, wireDetails } from "../call/wire-error.ts";
import { headersOf, metadataOf } from "./metadata.ts";

const detailsKey = "grpc-status-details-bin";

/**
 * Trailers are headers: HTTP/2 peers refuse more than they have room for (64 KiB in Node, 16 or 8 elsewhere), and then
 * the caller learns nothing at all.
 */
const maxDetailBytes = 6 * 1024;
const maxMessageLength = 1024;

/**
 * The error as grpc-js wants it: code and message in the status, the whole `google.rpc.Status` in its trailers, beside
 * those that the handler had set.
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

/** The error of a failed call as the client got it. The details are those of the trailers where they can be read. */
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

/** The status within the room of a trailer: a BadRequest loses its last violations, then whole details are left out. */
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

/** Percent-encoding fails on half a surrogate pair, so that there must be none; and a message is a sentence, not a page. */
function shortened(message: string): string {
  const whole = message.toWellFormed();
  return whole.length <= maxMessageLength ? whole : `${whole.slice(0, maxMessageLength).toWellFormed()}…`;
}
