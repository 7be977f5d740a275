import { Agent, type IncomingMessage, request } from "node:http";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { type DescMethod, getOption } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { http } from "../../../../gen/google/api/annotations_pb.js";
import { binaryBody, jsonBody } from "./bodies.ts";
import type { FieldPath } from "./fields.ts";

export type Encoding = "identity" | "gzip" | "br";

/** Outcome of a call: a gRPC code if the wire has one, else an HTTP status. */
export interface Ended {
  readonly code: number;
  readonly text: string;
}

/** A wire that sends one hostile request and reads its outcome, without Docket's own code. */
export interface HostileWire extends Disposable {
  readonly name: string;
  readonly encodings: readonly Encoding[];
  /** Builds a request with this field as large as `bytes` allow; undefined if the wire cannot carry it. */
  body(method: DescMethod, path: FieldPath, bytes: number): Buffer | undefined;
  /**
   * Sends the request, with the first message compressed by `encoding`.
   * @throws if the connection ends without a response.
   */
  send(method: DescMethod, body: Buffer, encoding: Encoding, headers: Readonly<Record<string, string>>): Promise<Ended>;
}

const compress: Readonly<Record<Encoding, (bytes: Buffer) => Buffer>> = {
  identity: (bytes) => bytes,
  gzip: (bytes) => gzipSync(bytes, { level: 1 }),
  br: (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
};

/** The wires of Docket's HTTP port, or of a gateway program in front of it. */
export function httpWires(baseUrl: string): HostileWire[] {
  return [restWire(baseUrl), connectWire(baseUrl, "json"), connectWire(baseUrl, "proto"), grpcWebWire(baseUrl)];
}

function restWire(baseUrl: string): HostileWire {
  return httpWire("REST", baseUrl, {
    encodings: ["identity", "gzip", "br"],
    body(method, path, bytes) {
      const { body, pattern } = getOption(method, http);
      const [first] = path;
      if (pattern.case === undefined || body === "" || first === undefined) {
        return undefined;
      }
      if (body === "*") {
        return jsonBody(path, bytes);
      }
      return body === first.name && path.length > 1 ? jsonBody(path.slice(1), bytes) : undefined;
    },
    target(method) {
      const { pattern } = getOption(method, http);
      const path = String(pattern.value).replace(/\{[^=}]+(?:=([^}]*))?\}/g, (_all, variable: string | undefined) =>
        (variable ?? "*").replaceAll("*", "x"),
      );
      return { verb: (pattern.case ?? "").toUpperCase(), path };
    },
    frame: (_method, body, encoding) => ({
      headers: { "content-type": "application/json", ...(encoding !== "identity" && { "content-encoding": encoding }) },
      body: compress[encoding](body),
    }),
    codeOf: ({ statusCode = 0 }) => statusCode,
  });
}

function connectWire(baseUrl: string, codec: "json" | "proto"): HostileWire {
  return httpWire(`Connect ${codec}`, baseUrl, {
    encodings: ["identity", "gzip", "br"],
    body: (_method, path, bytes) => (codec === "json" ? jsonBody(path, bytes) : binaryBody(path, bytes)),
    target: rpcTarget,
    frame(method, body, encoding) {
      if (method.methodKind === "unary") {
        const encoded = encoding !== "identity" && { "content-encoding": encoding };
        return { headers: { "content-type": `application/${codec}`, ...encoded }, body: compress[encoding](body) };
      }
      const encoded = encoding !== "identity" && { "connect-content-encoding": encoding };
      return {
        headers: { "content-type": `application/connect+${codec}`, ...encoded },
        body: enveloped(body, encoding),
      };
    },
    codeOf(response, text) {
      const name = /"code":"([a-z_]+)"/.exec(text)?.[1];
      return name === undefined ? (response.statusCode ?? 0) : connectCode(name);
    },
  });
}

function grpcWebWire(baseUrl: string): HostileWire {
  return httpWire("gRPC-Web", baseUrl, {
    encodings: ["identity", "gzip", "br"],
    body: (_method, path, bytes) => binaryBody(path, bytes),
    target: rpcTarget,
    frame: (_method, body, encoding) => ({
      headers: {
        "content-type": "application/grpc-web+proto",
        ...(encoding !== "identity" && { "grpc-encoding": encoding }),
      },
      body: enveloped(body, encoding),
    }),
    codeOf({ headers, statusCode = 0 }, text) {
      const code = headers["grpc-status"] ?? /grpc-status: *(\d+)/i.exec(text)?.[1];
      return code === undefined ? statusCode : Number(code);
    },
  });
}

/** Native gRPC. */
export function grpcWire(address: string): HostileWire {
  const asIs = (bytes: Buffer) => bytes;
  // Algorithm 2 is gzip.
  const plain = new Client(address, credentials.createInsecure());
  const gzip = new Client(address, credentials.createInsecure(), { "grpc.default_compression_algorithm": 2 });
  return {
    name: "gRPC",
    encodings: ["identity", "gzip"],
    body: (_method, path, bytes) => binaryBody(path, bytes),
    send(method, body, encoding, headers) {
      const metadata = new Metadata();
      for (const [name, value] of Object.entries(headers)) {
        metadata.set(name, value);
      }
      const client = encoding === "gzip" ? gzip : plain;
      return new Promise((resolve) => {
        const call = client.makeBidiStreamRequest(rpcTarget(method).path, asIs, asIs, metadata);
        call.on("data", () => {
          resolve({ code: 0, text: "" });
          call.cancel();
        });
        call.on("error", ({ code, details }: ServiceError) => resolve({ code, text: details }));
        call.on("end", () => resolve({ code: 0, text: "" }));
        call.end(body);
      });
    },
    [Symbol.dispose]() {
      plain.close();
      gzip.close();
    },
  };
}

interface HttpWireParts extends Pick<HostileWire, "encodings" | "body"> {
  target(method: DescMethod): { readonly verb: string; readonly path: string };
  frame(method: DescMethod, body: Buffer, encoding: Encoding): { headers: Record<string, string>; body: Buffer };
  codeOf(response: IncomingMessage, text: string): number;
}

function httpWire(name: string, baseUrl: string, { target, frame, codeOf, ...parts }: HttpWireParts): HostileWire {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  return {
    name,
    ...parts,
    send(method, payload, encoding, extraHeaders) {
      const { verb, path } = target(method);
      const { headers, body } = frame(method, payload, encoding);
      return new Promise((resolve, reject) => {
        const outgoing = request(`${baseUrl}${path}`, {
          method: verb,
          agent,
          headers: { ...headers, ...extraHeaders, "content-length": body.length },
        });
        outgoing.on("error", reject);
        outgoing.on("response", (response) => {
          let text = "";
          const end = () => {
            outgoing.destroy();
            resolve({ code: codeOf(response, text), text: text.slice(0, 300) });
          };
          response.setEncoding("latin1").on("data", (chunk: string) => {
            text += text.length < 100_000 ? chunk : "";
            // An admitted stream stays open; its first bytes suffice.
            if (method.methodKind !== "unary" && text.length > 5) end();
          });
          response.on("end", end);
          response.on("error", end);
        });
        outgoing.end(body);
      });
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}

function rpcTarget(method: DescMethod): { verb: string; path: string } {
  return { verb: "POST", path: `/${method.parent.typeName}/${method.name}` };
}

function enveloped(body: Buffer, encoding: Encoding): Buffer {
  const data = compress[encoding](body);
  const head = Buffer.alloc(5);
  head[0] = encoding === "identity" ? 0 : 1;
  head.writeUInt32BE(data.length, 1);
  return Buffer.concat([head, data]);
}

function connectCode(name: string): number {
  return status[name.toUpperCase() as keyof typeof status] ?? (name === "canceled" ? status.CANCELLED : status.UNKNOWN);
}
