import { create, createRegistry, fromBinary, type JsonObject, type JsonValue, type Registry } from "@bufbuild/protobuf";
import { base64Encode } from "@bufbuild/protobuf/wire";
import type { ConnectError } from "@connectrpc/connect";
import {
  ErrorInfoSchema,
  file_google_rpc_error_details,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.js";
import { codeName } from "../call/code-name.ts";
import { writeProtoJson } from "../codec/proto-json.ts";
import { gatewayDomain, httpStatusOf, isGatewayError } from "../errors.ts";

/**
 * The format of errors on REST: `status` is google.rpc.Status, `aip193` the same inside `{"error": …}` with the HTTP
 * status as its code, `problem` RFC 9457.
 */
export type ErrorFormat = "status" | "aip193" | "problem";

/** A serialized error. */
export interface ErrorBody {
  readonly contentType: string;
  readonly json: JsonObject;
}

const googleDetails = createRegistry(file_google_rpc_error_details);

/**
 * Serializes an error as JSON.
 *
 * Details whose type is in neither `registry` nor google.rpc keep their type, and their bytes as base64.
 *
 * @param domain replaces the gateway's own ErrorInfo domain.
 * @param httpStatus of the response; used only by formats that repeat it.
 */
export function errorBody(
  error: ConnectError,
  options: { format: ErrorFormat; domain: string; registry?: Registry | undefined; httpStatus?: number },
): ErrorBody {
  const httpStatus = options.httpStatus ?? httpStatusOf(error);
  const details = error.details.map((detail) => detailJson(detail, error, options.domain, options.registry));
  switch (options.format) {
    case "status":
      return { contentType: "application/json", json: { code: error.code, message: error.rawMessage, details } };
    case "aip193":
      return {
        contentType: "application/json",
        json: { error: { code: httpStatus, message: error.rawMessage, status: codeName(error.code), details } },
      };
    case "problem":
      return {
        contentType: "application/problem+json",
        json: {
          type: "about:blank",
          title: codeName(error.code),
          status: httpStatus,
          detail: error.rawMessage,
          code: error.code,
          details,
        },
      };
    default:
      return options.format satisfies never;
  }
}

/** Seconds to wait before a retry, rounded up, if the error has a RetryInfo. */
export function retryAfterSeconds(error: ConnectError): number | undefined {
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return delay === undefined ? undefined : Math.max(0, Number(delay.seconds) + (delay.nanos > 0 ? 1 : 0));
}

function detailJson(
  detail: ConnectError["details"][number],
  error: ConnectError,
  domain: string,
  registry: Registry | undefined,
): JsonValue {
  try {
    if ("desc" in detail) {
      const message = create(detail.desc, detail.value);
      const json = writeProtoJson(detail.desc, message, { registry: registry ?? googleDetails });
      if (detail.desc.typeName === ErrorInfoSchema.typeName && isGatewayError(error) && domain !== gatewayDomain) {
        return { "@type": typeUrl(detail.desc.typeName), ...(json as JsonObject), domain };
      }
      return anyJson(detail.desc.typeName, json);
    }
    const desc = googleDetails.getMessage(detail.type) ?? registry?.getMessage(detail.type);
    if (desc !== undefined) {
      const json = writeProtoJson(desc, fromBinary(desc, detail.value), { registry: registry ?? googleDetails });
      return anyJson(desc.typeName, json);
    }
    return { "@type": typeUrl(detail.type), value: base64Encode(detail.value) };
  } catch {
    return { "@type": typeUrl("desc" in detail ? detail.desc.typeName : detail.type) };
  }
}

function anyJson(typeName: string, json: JsonValue): JsonObject {
  const type = typeUrl(typeName);
  const plain = typeof json === "object" && json !== null && !Array.isArray(json);
  const custom = typeName.startsWith("google.protobuf.") && typeName !== "google.protobuf.Empty";
  return plain && !custom ? { "@type": type, ...json } : { "@type": type, value: json };
}

function typeUrl(typeName: string): string {
  return `type.googleapis.com/${typeName}`;
}
