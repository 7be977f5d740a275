import { Agent, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createRandom, type Random } from "../fuzz/random.ts";
import { type AnyRequest, malformedRest, malformedRpc } from "../support/malformed-requests.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { testRegistry } from "../support/test-api.ts";

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Sends the request unmodified, over persistent connections. */
function send(url: string, agent: Agent, { method, path, headers, body }: AnyRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = body.length === 0 ? {} : { "content-length": body.length };
    const outgoing = httpRequest(url, { agent, method, path, headers: { ...headers, ...length } });
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    outgoing.end(body);
  });
}

describe("10,000 malformed requests", () => {
  let server: ServerProcess;
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });

  beforeAll(async () => {
    server = await startServerProcess("any");
  });
  afterAll(async () => {
    agent.destroy();
    await server[Symbol.asyncDispose]();
  });

  /** Sends `count` requests from the seed and passes each response to `check`, with the information to reproduce it. */
  const flood = async (
    seed: number,
    count: number,
    make: (random: Random) => AnyRequest,
    check: (request: AnyRequest, answer: Answer) => string | undefined,
  ): Promise<void> => {
    const random = createRandom(seed);
    const complaints: string[] = [];
    for (let at = 0; at < count; at += 16) {
      const requests = Array.from({ length: Math.min(16, count - at) }, () => make(random));
      const answers = await Promise.all(requests.map((request) => send(server.url, agent, request)));
      for (const [index, answer] of answers.entries()) {
        const request = requests[index] as AnyRequest;
        const complaint = check(request, answer);
        if (complaint !== undefined) {
          const body = request.body.toString("latin1").slice(0, 500);
          complaints.push(`seed ${seed}, ${at + index}: ${JSON.stringify({ ...request, body })}: ${complaint}`);
        }
      }
    }
    expect(complaints.slice(0, 5)).toEqual([]);
    expect(await server.errors()).toEqual([]);
    expect(server.isAlive()).toBe(true);
  };

  test.each([1, 2])("get a google.rpc.Status on REST that says what is wrong (seed %d)", async (seed) => {
    let refused = 0;
    await flood(
      seed,
      2000,
      (random) => malformedRest(random, testRegistry),
      (request, answer) => {
        if (answer.status < 400) return inBandFault(answer.body.toString());
        refused += 1;
        if (answer.status >= 500 && answer.status !== 501 && answer.status !== 504) return `status ${answer.status}`;
        return request.method === "HEAD" ? undefined : statusFault(answer);
      },
    );
    expect(refused).toBeGreaterThan(1000);
  });

  test.each([3, 4])("get an error on Connect that says what is wrong (seed %d)", async (seed) => {
    let refused = 0;
    await flood(
      seed,
      1500,
      (random) => malformedRpc(random, testRegistry, "connect"),
      (_, answer) => {
        if (answer.status === 200) return undefined;
        refused += 1;
        const { code, message } = JSON.parse(answer.body.toString()) as { code: string; message?: string };
        return isFault(code) || message === undefined ? answer.body.toString() : undefined;
      },
    );
    expect(refused).toBeGreaterThan(400);
  });

  test.each([5, 6])("get an error on gRPC-Web that says what is wrong (seed %d)", async (seed) => {
    let refused = 0;
    await flood(
      seed,
      1500,
      (random) => malformedRpc(random, testRegistry, "grpc-web"),
      (_, answer) => {
        const trailers = `${answer.headers["grpc-status"] ?? ""} ${answer.body.toString("latin1")}`;
        const status = String(answer.headers["grpc-status"] ?? /grpc-status: (\d+)/.exec(trailers)?.[1]);
        if (status === "0") return undefined;
        refused += 1;
        const hasMessage = answer.headers["grpc-message"] !== undefined || /grpc-message: ./.test(trailers);
        return isFault(status) || !hasMessage ? `${answer.status} ${trailers}` : undefined;
      },
    );
    expect(refused).toBeGreaterThan(400);
  });
});

/** True for INTERNAL and UNKNOWN, by the wire's name or number: no request may cause them. */
function isFault(code: string): boolean {
  return ["internal", "unknown", "13", "2", "undefined"].includes(code);
}

/** The first defect of a REST error. */
function statusFault(answer: Answer): string | undefined {
  const text = answer.body.toString();
  if (text === "") return `${answer.status} without a body`;
  const { code, message, details } = JSON.parse(text) as {
    code: number;
    message: string;
    details: { "@type": string; reason?: string; fieldViolations?: { description: string }[] }[];
  };
  if (isFault(String(code)) || message === "") return text;
  if (details[0]?.reason === undefined) return `no reason: ${text}`;
  const violations = details.flatMap((detail) => detail.fieldViolations ?? []);
  if (violations.some(({ description }) => /^is not valid$|call stack|undefined|\[object/.test(description)))
    return text;
  return answer.headers["content-type"] === "application/json" ? undefined : String(answer.headers["content-type"]);
}

function inBandFault(text: string): string | undefined {
  return /"error":\{"code":(2|13),/.test(text) ? text.slice(0, 500) : undefined;
}
