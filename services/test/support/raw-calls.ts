import { type DescMethod, getOption } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { http } from "../../../gen/google/api/annotations_pb.js";
import type { HttpRule } from "../../../gen/google/api/http_pb.js";

/** Outcome of a call with an empty request, or of a stream's beginning. */
export type Verdict = "UNAUTHENTICATED" | "PERMISSION_DENIED" | "admitted";

/** A wire without Docket's own code: it calls every kind of method with an empty request. */
export interface RawWire extends Disposable {
  readonly name: string;
  /** False if the wire does not serve the method. */
  serves(method: DescMethod): boolean;
  call(method: DescMethod, headers: Readonly<Record<string, string>>): Promise<Verdict>;
}

export function rawWires(httpUrl: string, grpcAddress: string): RawWire[] {
  return [grpcWire(grpcAddress), connectWire(httpUrl), grpcWebWire(httpUrl), restWire(httpUrl)];
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** Health and reflection are served on the gRPC port only. */
function isDocket(method: DescMethod): boolean {
  return method.parent.typeName.startsWith("docket.");
}

function verdictOf(code: number): Verdict {
  switch (code) {
    case status.UNAUTHENTICATED:
      return "UNAUTHENTICATED";
    case status.PERMISSION_DENIED:
      return "PERMISSION_DENIED";
    default:
      return "admitted";
  }
}

function grpcWire(address: string): RawWire {
  const client = new Client(address, credentials.createInsecure());
  const asIs = (bytes: Buffer) => bytes;
  return {
    name: "gRPC",
    serves: () => true,
    call(method, headers) {
      const metadata = new Metadata();
      for (const [name, value] of Object.entries(headers)) {
        metadata.set(name, value);
      }
      return new Promise((resolve) => {
        const call = client.makeBidiStreamRequest(pathOf(method), asIs, asIs, metadata);
        call.on("data", () => {
          resolve("admitted");
          call.cancel();
        });
        call.on("error", ({ code }: ServiceError) => resolve(verdictOf(code)));
        call.on("end", () => resolve("admitted"));
        if (method.methodKind === "unary" || method.methodKind === "server_streaming") {
          call.write(Buffer.alloc(0));
        }
        call.end();
      });
    },
    [Symbol.dispose]: () => client.close(),
  };
}

/** The code of the first frame that says one: 0 for a message, and undefined for an answer without frames. */
async function codeInFrames(
  response: Response,
  endFlag: number,
  codeOfEnd: (text: string) => number,
): Promise<number | undefined> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of response.body ?? []) {
    bytes = Buffer.concat([bytes, chunk]);
    const length = bytes.length >= 5 ? bytes.readUInt32BE(1) : Number.POSITIVE_INFINITY;
    if (bytes.length >= 5 + length) {
      const isEnd = ((bytes[0] ?? 0) & endFlag) !== 0;
      return isEnd ? codeOfEnd(bytes.subarray(5, 5 + length).toString()) : 0;
    }
  }
  return undefined;
}

const emptyFrame = Buffer.alloc(5);

function connectWire(baseUrl: string): RawWire {
  const codes: Readonly<Record<string, number>> = {
    unauthenticated: status.UNAUTHENTICATED,
    permission_denied: status.PERMISSION_DENIED,
  };
  return httpWire("Connect", isDocket, async (method, headers, signal) => {
    const isUnary = method.methodKind === "unary";
    const response = await fetch(`${baseUrl}${pathOf(method)}`, {
      method: "POST",
      headers: { ...headers, "content-type": isUnary ? "application/proto" : "application/connect+proto" },
      body: method.methodKind === "server_streaming" ? emptyFrame : Buffer.alloc(0),
      signal,
    });
    if (isUnary || !response.ok) {
      return httpVerdict(response);
    }
    const code = await codeInFrames(response, 2, (text) => {
      const { error } = JSON.parse(text) as { error?: { code: string } };
      return error === undefined ? 0 : (codes[error.code] ?? status.UNKNOWN);
    });
    return verdictOf(code ?? 0);
  });
}

function grpcWebWire(baseUrl: string): RawWire {
  return httpWire("gRPC-Web", isDocket, async (method, headers, signal) => {
    const response = await fetch(`${baseUrl}${pathOf(method)}`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/grpc-web+proto" },
      body: method.methodKind === "client_streaming" ? Buffer.alloc(0) : emptyFrame,
      signal,
    });
    const inHead = response.headers.get("grpc-status");
    const code =
      inHead ?? (await codeInFrames(response, 0x80, (text) => Number(/grpc-status: *(\d+)/i.exec(text)?.[1] ?? 2)));
    return verdictOf(Number(code ?? 2));
  });
}

function restWire(baseUrl: string): RawWire {
  return httpWire(
    "REST",
    (method) => rulesOf(method).length > 0,
    async (method, headers, signal) => {
      const verdicts = new Set<Verdict>();
      for (const rule of rulesOf(method)) {
        const verb = (rule.pattern.case ?? "").toUpperCase();
        const path = String(rule.pattern.value).replace(
          /\{[^=}]+(?:=([^}]*))?\}/g,
          (_all, pattern: string | undefined) => (pattern ?? "*").replaceAll("*", "x"),
        );
        const response = await fetch(`${baseUrl}${path}`, {
          method: verb,
          headers: { ...headers, "content-type": "application/json" },
          ...(rule.body !== "" && { body: "{}" }),
          signal,
        });
        verdicts.add(httpVerdict(response));
        await response.body?.cancel();
      }
      const [verdict = "admitted"] = verdicts;
      if (verdicts.size > 1) {
        throw new Error(`${method.name} is not the same on each of its paths: ${[...verdicts].join(", ")}`);
      }
      return verdict;
    },
  );
}

function rulesOf(method: DescMethod): HttpRule[] {
  const rule = getOption(method, http);
  return [rule, ...rule.additionalBindings].filter(({ pattern }) => pattern.case !== undefined);
}

/** The REST rules of a method that name a resource in the path: `path` has it between braces, `pattern` is its form. */
export function namedRules(method: DescMethod): { verb: string; path: string; pattern: string; body: boolean }[] {
  return rulesOf(method).flatMap((rule) => {
    const path = String(rule.pattern.value);
    const pattern = /\{[^=}]+=([^}]+)\}/.exec(path)?.[1];
    const verb = (rule.pattern.case ?? "").toUpperCase();
    return pattern === undefined ? [] : [{ verb, path, pattern, body: rule.body !== "" }];
  });
}

function httpVerdict(response: Response): Verdict {
  switch (response.status) {
    case 401:
      return "UNAUTHENTICATED";
    case 403:
      return "PERMISSION_DENIED";
    default:
      return "admitted";
  }
}

function httpWire(
  name: string,
  serves: RawWire["serves"],
  call: (method: DescMethod, headers: Readonly<Record<string, string>>, signal: AbortSignal) => Promise<Verdict>,
): RawWire {
  return {
    name,
    serves,
    async call(method, headers) {
      for (let attempt = 1; ; attempt++) {
        const leave = new AbortController();
        try {
          return await call(method, headers, leave.signal);
        } catch (error) {
          // The server may close an idle connection just as a slow client reuses it.
          if (!(error instanceof TypeError) || attempt === 5) throw error;
        } finally {
          leave.abort();
        }
      }
    },
    [Symbol.dispose]: () => {},
  };
}
