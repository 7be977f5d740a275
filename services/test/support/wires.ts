import {
  create,
  createRegistry,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  getOption,
  type JsonObject,
  type JsonValue,
  type MessageInitShape,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { ConnectError, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { createAnswerChecker } from "../../../gateway/test/support/answer-checker.ts";
import { http } from "../../../gen/google/api/annotations_pb.js";
import { file_google_rpc_error_details } from "../../../gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../../gen/google/rpc/status_pb.js";

/** Outcome of a call: the message in proto3 JSON, or the status with its details in JSON. */
export type Outcome = { readonly ok: JsonValue } | { readonly error: JsonObject };

/** One of the four ways to call Docket. */
export interface Wire extends Disposable {
  readonly name: string;
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    key?: string,
  ): Promise<Outcome>;
}

/** As in REST responses: including fields with default values. */
const json = { alwaysEmitImplicit: true, registry: createRegistry(file_google_rpc_error_details) };

/** Creates all four, each with a client independent of Docket's serving code. */
export function allWires(httpUrl: string, grpcAddress: string): Wire[] {
  const document = fetch(`${httpUrl}/openapi.json`).then((response) => response.json() as Promise<JsonObject>);
  const [rest, ...others] = httpWires(httpUrl, document);
  return [...(rest === undefined ? [] : [rest]), grpcWire(grpcAddress), ...others];
}

/** Creates those that HTTP/1.1 carries. REST responses are checked against the OpenAPI document. */
export function httpWires(httpUrl: string, document: Promise<JsonObject>): Wire[] {
  return [
    restWire(httpUrl, document),
    connectWire("gRPC-Web", createGrpcWebTransport({ baseUrl: httpUrl, httpVersion: "1.1" })),
    connectWire("Connect", createConnectTransport({ baseUrl: httpUrl, httpVersion: "1.1" })),
  ];
}

function connectWire(name: string, transport: Transport): Wire {
  return {
    name,
    async call(method, request, key) {
      try {
        const header = key === undefined ? undefined : { authorization: `Bearer ${key}` };
        const { message } = await transport.unary(method, undefined, undefined, header, request);
        return { ok: toJson(method.output, message, json) };
      } catch (error) {
        const { code, rawMessage, details } = ConnectError.from(error);
        const values = details.flatMap((it) =>
          "type" in it ? [{ typeUrl: `type.googleapis.com/${it.type}`, value: it.value }] : [],
        );
        return { error: statusJson({ code, message: rawMessage, details: values }) };
      }
    },
    [Symbol.dispose]: () => {},
  };
}

function grpcWire(address: string): Wire {
  const client = new Client(address, credentials.createInsecure());
  return {
    name: "gRPC",
    call(method, request, key) {
      const metadata = new Metadata();
      if (key !== undefined) {
        metadata.set("authorization", `Bearer ${key}`);
      }
      return new Promise((resolve) => {
        client.makeUnaryRequest(
          `/${method.parent.typeName}/${method.name}`,
          (message: MessageInitShape<typeof method.input>) =>
            Buffer.from(toBinary(method.input, create(method.input, message))),
          (bytes: Buffer) => fromBinary(method.output, bytes),
          request,
          metadata,
          (error: ServiceError | null, message) => {
            resolve(
              message === undefined ? { error: grpcStatus(error) } : { ok: toJson(method.output, message, json) },
            );
          },
        );
      });
    },
    [Symbol.dispose]: () => client.close(),
  };
}

function grpcStatus(error: ServiceError | null): JsonObject {
  const [bytes] = error?.metadata.get("grpc-status-details-bin") ?? [];
  const status =
    typeof bytes === "object"
      ? fromBinary(StatusSchema, bytes)
      : { code: error?.code ?? 2, message: error?.details ?? "" };
  return statusJson(status);
}

/**
 * Builds requests from the HTTP annotations, as an integrator would. Throws if a response does not match the OpenAPI
 * document.
 */
function restWire(baseUrl: string, document: Promise<JsonObject>): Wire {
  const checker = document.then(createAnswerChecker);
  return {
    name: "REST",
    async call(method, request, key) {
      const rule = getOption(method, http);
      const message = toJson(method.input, create(method.input, request)) as JsonObject;
      const verb = rule.pattern.case ?? "";
      const path = String(rule.pattern.value).replace(/\{([^=}]+)(?:=[^}]*)?\}/g, (_all, field: string) => {
        const value = take(message, field.split("."));
        return String(value).split("/").map(encodeURIComponent).join("/");
      });
      const body = rule.body === "*" ? message : rule.body === "" ? undefined : take(message, [rule.body]);
      const query = rule.body === "*" ? "" : queryOf(message);
      const response = await fetch(`${baseUrl}${path}${query}`, {
        method: verb.toUpperCase(),
        headers: { "content-type": "application/json", ...(key !== undefined && { authorization: `Bearer ${key}` }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const bytes = Buffer.from(await response.arrayBuffer());
      const { status, headers } = response;
      const said = { method: verb.toUpperCase(), path: `${path}${query}`, status, body: bytes };
      // It has been decoded already.
      const problems = (await checker).check({
        ...said,
        headers: { ...Object.fromEntries(headers), "content-encoding": undefined },
      });
      if (problems.length > 0) throw new Error(`not as the OpenAPI document says: ${problems.join("\n")}`);
      const answer = JSON.parse(bytes.toString()) as JsonObject;
      return response.ok ? { ok: answer } : { error: answer };
    },
    [Symbol.dispose]: () => {},
  };
}

function statusJson(status: MessageInitShape<typeof StatusSchema>): JsonObject {
  return toJson(StatusSchema, create(StatusSchema, status), { registry: json.registry }) as JsonObject;
}

/** Removes and returns the value at the path; empty if absent. Names are JSON names. */
function take(object: JsonObject, path: readonly string[]): JsonValue {
  const [first = "", ...rest] = path.map((name) =>
    name.replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase()),
  );
  const value = object[first];
  if (rest.length > 0) {
    return typeof value === "object" && value !== null ? take(value as JsonObject, rest) : "";
  }
  delete object[first];
  return value ?? "";
}

/** Converts scalars, lists of scalars and nested messages to query parameters. */
function queryOf(message: JsonObject): string {
  const parameters = new URLSearchParams();
  const add = (name: string, value: JsonValue) => {
    if (Array.isArray(value)) {
      for (const element of value) add(name, element);
    } else if (typeof value === "object" && value !== null) {
      for (const [key, inner] of Object.entries(value)) add(`${name}.${key}`, inner);
    } else {
      parameters.append(name, String(value));
    }
  };
  for (const [name, value] of Object.entries(message)) add(name, value);
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}
