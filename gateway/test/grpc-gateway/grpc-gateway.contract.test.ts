import { once } from "node:events";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { WebSocket } from "ws";
import { readConfig } from "../../program/cli/config.ts";
import { type Program, serve } from "../../program/server/serve.ts";
import { whyNoGo } from "../support/go-programs.ts";
import { rawRequest } from "../support/raw-request.ts";
import { type ExampleCase, exampleCases } from "./cases.ts";
import { type ExampleServers, startExampleServers } from "./servers.ts";

const reason = whyNoGo();
const describeWithGo = reason === undefined ? describe : describe.skip;
const skipped = reason === undefined ? "" : ` (skipped: ${reason})`;

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly json: unknown;
}

describeWithGo(`in front of grpc-gateway's example server, beside its own gateway${skipped}`, () => {
  let servers: ExampleServers;
  let program: Program;
  const lines: string[] = [];
  /** The id of an object created through each gateway. */
  const uuids = new Map<string, string>();
  const rows = differencesInReadme();

  beforeAll(async () => {
    servers = await startExampleServers();
    const config = readConfig([
      ...["--descriptor-set", servers.descriptorSet, "--upstream", servers.upstream],
      ...["--host=127.0.0.1", "--port=0", "--no-watch"],
    ]);
    if (config === undefined) throw new Error("help");
    program = await serve(config, (line) => lines.push(line));
    for (const url of [program.url, servers.gatewayUrl]) {
      const { json } = await send(url, {
        method: "POST",
        path: "/v1/example/a_bit_of_everything",
        body: '{"stringValue":"made before","singleNested":{"name":"n","amount":3}}',
      });
      uuids.set(url, (json as { uuid: string }).uuid);
    }
  }, 600_000);

  afterAll(async () => {
    await program?.[Symbol.asyncDispose]();
    await servers?.[Symbol.asyncDispose]();
  });

  const send = async (
    url: string,
    { method, path, body, headers = {} }: Pick<ExampleCase, "method" | "path" | "body" | "headers">,
  ): Promise<Answer> => {
    const uuid = uuids.get(url) ?? "";
    const answer = await rawRequest(url, path.replace("{uuid}", uuid), {
      method,
      headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
      ...(body === undefined ? {} : { body }),
    });
    const text = answer.body.toString().trim();
    return { status: answer.status, text, json: parse(text) };
  };

  test("should report the skipped rules of the descriptor set, and still serve its methods", async () => {
    expect(lines.filter((line) => line.startsWith("skipped: "))).toEqual([
      expect.stringMatching(/CreateNestedBodyOneof: body "payload.input_value" is not a field of/),
      expect.stringMatching(
        /GetRepeatedQuery: .*, column 42: variable "path_repeated_float_value" is a repeated field$/,
      ),
    ]);
    const { json } = await send(program.url, {
      method: "POST",
      path: "/grpc.gateway.examples.internal.proto.examplepb.ABitOfEverythingService/GetRepeatedQuery",
      body: '{"pathRepeatedInt32Value":[1,2]}',
    });
    expect(json).toEqual({ pathRepeatedInt32Value: [1, 2] });
  });

  test.each(exampleCases.map((example, index) => [index, nameOf(example), example] as const))(
    "%d. %s",
    async (_, __, example) => {
      const ours = await send(program.url, example);
      expect({ status: ours.status, text: ours.text }).toMatchObject({
        status: example.status,
        ...(example.text === undefined ? {} : { text: example.text }),
      });
      if (example.json !== undefined) expect({ json: ours.json }).toMatchObject({ json: example.json });

      const theirs = await send(servers.gatewayUrl, example);
      if (example.differs === undefined) {
        const byGateway = raisedByGateway(ours);
        expect(comparable(theirs, byGateway)).toEqual(comparable(ours, byGateway));
      } else {
        expect([...rows]).toContain(example.differs);
        expect(exact(theirs)).not.toEqual(exact(ours));
      }
    },
  );

  test("should end a call at its deadline, whichever side notices first", async () => {
    const answer = await send(program.url, {
      method: "GET",
      path: "/v2/example/timeout",
      headers: { "grpc-timeout": "10m" },
    });
    expect(answer).toMatchObject({ status: 504, json: { code: 4 } });
  });

  test("should carry headers and trailers of the upstream under their own names", async () => {
    const path = "/v1/example/echo_body";
    const init = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };
    const ours = await rawRequest(program.url, path, init);
    expect(ours.headers).toMatchObject({ foo: "foo1", bar: "bar1", "grpc-trailer-foo": "foo2" });
    const theirs = await rawRequest(servers.gatewayUrl, path, init);
    expect(theirs.headers).toMatchObject({ "grpc-metadata-foo": "foo1" });
    expect([...rows]).toContain("response headers");
  });

  test("should carry headers of the upstream that came before an error", async () => {
    const answer = await rawRequest(program.url, "/v1/example/a_bit_of_everything/missing");
    expect(answer.status).toBe(404);
    expect(answer.headers).toMatchObject({ uuid: "missing" });
  });

  test("should end a failed stream with the error, like grpc-gateway", async () => {
    const path = "/v1/example/a_bit_of_everything?error=true";
    const [ours, theirs] = await Promise.all(
      [program.url, servers.gatewayUrl].map(async (url) => {
        const { body } = await rawRequest(url, path);
        const messages = body.toString().trim().split("\n");
        return { count: messages.length, last: parse(messages.at(-1) ?? "") };
      }),
    );
    expect(ours?.last).toEqual({ error: { code: 3, message: "error", details: [] } });
    expect(theirs).toEqual(ours);
  });

  test("should stream as server-sent events and over a WebSocket too", async () => {
    const path = "/responsebody/stream/x";
    const events = await rawRequest(program.url, path, { headers: { accept: "text/event-stream" } });
    expect(events.body.toString()).toBe(
      'data: {"data":"first x"}\n\ndata: {"data":"second x"}\n\nevent: end\ndata: {}\n\n',
    );
    const socket = new WebSocket(`${program.url.replace("http", "ws")}/v1/example/a_bit_of_everything/echo`);
    const answers: unknown[] = [];
    socket.on("message", (data: Buffer) => answers.push(JSON.parse(data.toString())));
    await once(socket, "open");
    for (const message of ['{"value":"a"}', '{"value":"b"}', ""]) socket.send(message);
    await once(socket, "close");
    expect(answers).toEqual([{ value: "a" }, { value: "b" }]);
  });

  test("should document no difference in its README without a case", () => {
    const shown = new Set([...exampleCases.map(({ differs }) => differs), "response headers"]);
    expect([...rows].filter((row) => !shown.has(row))).toEqual([]);
  });
});

function nameOf({ method, path, body, status }: ExampleCase): string {
  const shown = path.length > 100 ? `${path.slice(0, 100)}…` : path;
  return `should answer ${status} to ${method} ${shown} ${(body ?? "").slice(0, 80)}`.trimEnd();
}

/** The first cells of the README's table of differences. */
function differencesInReadme(): Set<string> {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const section = readme.split("\n### Differences from grpc-gateway\n")[1]?.split("\n## ", 1)[0] ?? "";
  const cells = section.split("\n").map((line) => /^\| (.+?) \|/.exec(line)?.[1] ?? "");
  return new Set(cells.filter((cell) => cell !== "" && cell !== "answer to" && !cell.startsWith("---")));
}

/** JSON, or one JSON text per line, or plain text. */
function parse(text: string): unknown {
  for (const read of [() => JSON.parse(text), () => text.split("\n").map((line) => JSON.parse(line))]) {
    try {
      return read();
    } catch {
      // Ignored: the next candidate may succeed.
    }
  }
  return text;
}

function raisedByGateway({ status, json }: Answer): boolean {
  if (status < 400 || typeof json !== "object") return false;
  const { details } = json as { details: readonly { domain?: string }[] };
  return details.some(({ domain }) => domain === "gateway");
}

/**
 * A response without the documented differences between the two gateways: unset messages are `null` or omitted, and
 * errors raised by a gateway itself have their own texts and details.
 */
function comparable({ status, json }: Answer, byGateway: boolean): unknown {
  return byGateway ? { status, code: (json as { code: number }).code } : { status, json: withoutNulls(json) };
}

function exact({ status, json }: Answer): unknown {
  return { status, json };
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([name, inner]) => inner !== null && name !== "uuid");
  return Object.fromEntries(kept.map(([name, inner]) => [name, withoutNulls(inner)]));
}
