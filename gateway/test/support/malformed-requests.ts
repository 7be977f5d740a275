import { type DescMessage, type DescMethod, type Registry, toBinary, toJsonString } from "@bufbuild/protobuf";
import { type Route, routesOf } from "../../routing/http-rules.ts";
import { mutateBinary } from "../fuzz/mutate-binary.ts";
import { mutateJson } from "../fuzz/mutate-json.ts";
import type { Random } from "../fuzz/random.ts";
import { randomMessage } from "../fuzz/random-message.ts";

/** A request as `node:http` sends it. */
export interface AnyRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const texts = [
  ...[
    "",
    "a",
    "1",
    "-1",
    "%20",
    "%2F",
    "%",
    "%zz",
    "%ff",
    "%00",
    "%ed%a0%80",
    "%25",
    "+",
    "..",
    ":",
    ":move",
    "{}",
    "[]",
  ],
  ...[
    "__proto__",
    "constructor",
    "99999999999999999999999",
    "1e400",
    "NaN",
    "true",
    "null",
    "%c3%bf",
    "%F0%9F%93%9A",
    "*",
  ],
];

const names = [
  "__proto__",
  "constructor.prototype",
  "toString",
  "a.b.c",
  "nested.",
  ".nested",
  "[",
  "a[b",
  "nested[x]",
  "",
];

const contentTypes = [
  ...["application/json", "application/json; charset=utf-8", "text/plain", "", "application/x-www-form-urlencoded"],
  ...[
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    'multipart/form-data; boundary="',
    "\u00ff",
    "a/b;c=;d",
  ],
];

const headers: readonly [string, readonly string[]][] = [
  ["content-encoding", ["gzip", "br", "deflate", "identity", "gzip, gzip", "zstd", ""]],
  ["accept", ["text/event-stream", "application/json;q=x", ",,;;q=", "*/*", "application/x-ndjson"]],
  ["accept-encoding", ["gzip;q=9", "br;q=.", "*;q=0", "identity", "gzip, br"]],
  ["grpc-timeout", ["1S", "soon", "99999999999S", "-1S", "0n"]],
  ["connect-timeout-ms", ["5000", "-1", "1e3", "99999999999999"]],
  ["x-server-timeout", ["10", "NaN", "-1", "1e9"]],
  ["if-match", ['"a"', "*", '"a", "b"', '"', "\u00e4"]],
  ["if-none-match", ['"v1"', "*", 'W/"', ","]],
  ["last-event-id", ["7", "\u00ff", "x".repeat(2000)]],
  ["origin", ["null", "https://evil.example", "\u00ff"]],
  ["authorization", ["Bearer x", "\u00ff"]],
  ["traceparent", ["00-x", ""]],
  ["x-trace-bin", ["!!", "AAA"]],
  ["expect", ["100-continue"]],
];

/** A request to a REST method: a valid one with a mutation, or random text. */
export function malformedRest(random: Random, registry: Registry): AnyRequest {
  const methods = [...registry].filter((type) => type.kind === "service").flatMap((service) => service.methods);
  const route = random.pick(methods.flatMap((method) => routesOf(method)));
  if (route === undefined) throw new Error("no routes");
  const { contentType, body } = restBody(random, route, registry);
  return {
    method:
      random.chance(0.9) && route.httpMethod !== "*" ? route.httpMethod : random.pick(["GET", "POST", "PUT", "HEAD"]),
    path: restPath(random, route) + restQuery(random, route),
    headers: { ...randomHeaders(random), ...(contentType === "" ? {} : { "content-type": contentType }) },
    body,
  };
}

function restPath(random: Random, route: Route): string {
  if (random.chance(0.05)) return `/${Array.from({ length: random.below(40) }, () => random.pick(texts)).join("/")}`;
  const segments = route.template.segments.map((segment) =>
    segment.kind === "literal" && random.chance(0.97) ? segment.text : (random.pick(texts) ?? ""),
  );
  return `/${segments.join("/")}${route.template.verb === "" ? "" : `:${route.template.verb}`}`;
}

function restQuery(random: Random, route: Route): string {
  const count = random.pick([0, 0, 1, 2, 5, 200]);
  const fields = route.method.input.fields;
  const pairs = Array.from({ length: count }, () => {
    const field = random.pick(fields);
    const name =
      random.chance(0.2) || field === undefined ? random.pick(names) : random.pick([field.name, field.jsonName]);
    const suffix = random.pick(["", "", "", "[a]", ".name", ".child.child.name", "[", "[__proto__]"]);
    return `${name}${suffix}${random.pick(["=", "=", ""])}${random.pick(texts)}`;
  });
  return count === 0 ? "" : `?${pairs.join(random.pick(["&", "&", "&&", ";"]))}`;
}

function restBody(random: Random, route: Route, registry: Registry): { contentType: string; body: Buffer } {
  if (route.body === "none" && random.chance(0.9)) return { contentType: "", body: Buffer.alloc(0) };
  const contentType = random.pick(contentTypes) ?? "";
  const desc = typeof route.body === "object" ? (route.body.message ?? route.method.input) : route.method.input;
  const whole = jsonOf(random, desc, registry);
  switch (random.below(4)) {
    case 0:
      return { contentType, body: randomBytes(random) };
    case 1: {
      const bytes = Buffer.from(whole);
      return { contentType: "application/json", body: Buffer.from(mutateBinary(random, bytes)) };
    }
    case 2:
      return { contentType, body: Buffer.from(multipart(random, whole)) };
    default:
      return { contentType: "application/json", body: Buffer.from(mutateJson(random, whole)) };
  }
}

function multipart(random: Random, value: string): string {
  const name = random.pick(["string_field", "bytes_field", "nested.name", "__proto__", 'a"b', "\u00ff", "labels[a]"]);
  const part = `--x\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  return `${part.repeat(random.below(4))}${random.pick(["--x--", "--x", "", "--x--\r\n", "--y--"])}`;
}

/** A unary call over Connect or gRPC-Web with a mutated message, or random bytes. */
export function malformedRpc(random: Random, registry: Registry, protocol: "connect" | "grpc-web"): AnyRequest {
  const methods = [...registry].filter((type) => type.kind === "service").flatMap((service) => service.methods);
  const method = random.pick(methods.filter((candidate) => candidate.methodKind === "unary"));
  if (method === undefined) throw new Error("no methods");
  const isBinary = random.chance(0.5);
  const message = rpcMessage(random, method, registry, isBinary);
  const contentType =
    protocol === "connect"
      ? `application/${isBinary ? "proto" : "json"}`
      : `application/grpc-web+${isBinary ? "proto" : "json"}`;
  return {
    method: "POST",
    path: `/${method.parent.typeName}/${method.name}`,
    headers: { ...rpcHeaders(random), "content-type": contentType },
    body: protocol === "connect" ? message : envelope(random, message),
  };
}

function rpcMessage(random: Random, method: DescMethod, registry: Registry, isBinary: boolean): Buffer {
  if (random.chance(0.2)) return randomBytes(random);
  if (isBinary) return Buffer.from(mutateBinary(random, binaryOf(random, method, registry)));
  return Buffer.from(mutateJson(random, jsonOf(random, method.input, registry)));
}

/** Occasionally the length differs from that of the message. */
function envelope(random: Random, message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(random.chance(0.9) ? message.length : random.pick([0, 1, message.length + 1, 0xffff_ffff]), 1);
  return Buffer.concat([head, message]).subarray(0, random.chance(0.95) ? undefined : random.below(6));
}

function binaryOf(random: Random, { input }: DescMethod, registry: Registry): Uint8Array {
  return attempt(() => toBinary(input, randomMessage({ random, valid: true, registry }, input))) ?? new Uint8Array([8]);
}

function jsonOf(random: Random, desc: DescMessage, registry: Registry): string {
  return (
    attempt(() => toJsonString(desc, randomMessage({ random, valid: true, registry }, desc), { registry })) ?? "{}"
  );
}

/** Some random messages cannot be encoded, such as Timestamps out of range. */
function attempt<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch {
    return undefined;
  }
}

function randomHeaders(random: Random): Record<string, string> {
  const chosen = headers.filter(() => random.chance(0.06)).map(([name, values]) => [name, random.pick(values) ?? ""]);
  return Object.fromEntries(chosen) as Record<string, string>;
}

/** Without compression: connect-node handles invalid compressed data. */
function rpcHeaders(random: Random): Record<string, string> {
  const { "content-encoding": _, ...rest } = randomHeaders(random);
  return rest;
}

function randomBytes(random: Random): Buffer {
  return Buffer.from(Uint8Array.from({ length: random.pick([0, 1, 5, 40, 400]) }, () => random.below(256)));
}
