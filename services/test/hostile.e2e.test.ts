import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DescMethod } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type GatewayProgram, startGatewayProgram } from "./support/gateway-program.ts";
import { hostileFields, textOf } from "./support/hostile/fields.ts";
import { grpcWire, type HostileWire, httpWires } from "./support/hostile/wires.ts";
import { type Program, startProgram } from "./support/program.ts";
import { declaredAccess, servedApi } from "./support/served-methods.ts";

/** The largest body that the server takes here. The work that a byte may cause does not depend on it. */
const limit = 512 * 1024;
const together = 4;

/** No caller's input may end in these: they are faults of the server. */
const faults: ReadonlySet<number> = new Set([status.UNKNOWN, status.INTERNAL, status.DATA_LOSS, 500, 502]);
const successes: ReadonlySet<number> = new Set([status.OK, 200, 201]);
const refusedWithoutKey: ReadonlySet<number> = new Set([status.UNAUTHENTICATED, 401]);

interface Case {
  readonly method: DescMethod;
  readonly body: Buffer;
  readonly name: string;
}

function* casesOf(methods: readonly DescMethod[], wire: HostileWire): Generator<Case> {
  for (const method of methods) {
    for (const path of hostileFields(method)) {
      const body = wire.body(method, path, limit - 64);
      if (body !== undefined) {
        yield { method, body, name: `${method.parent.typeName}/${method.name} ${textOf(path)}` };
      }
    }
  }
}

describe("the most that the byte limit holds, in each field of each method", () => {
  let folder: string;
  let program: Program;
  let methods: readonly DescMethod[];
  let wires: readonly HostileWire[];
  let live: LiveWatch;
  let gateway: GatewayProgram;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "docket-hostile-"));
    program = await startProgram({
      DOCKET_DATA_DIR: folder,
      DOCKET_MAX_BODY_BYTES: String(limit),
    });
    const api = await servedApi(program.grpcAddress);
    methods = api.methods;
    const descriptorSet = join(folder, "api.binpb");
    const config = join(folder, "gateway.json");
    await writeFile(descriptorSet, api.descriptorSet);
    await writeFile(config, JSON.stringify({ maxBodyBytes: limit }));
    const upstream = program.grpcAddress;
    gateway = await startGatewayProgram([
      "--descriptor-set",
      descriptorSet,
      "--upstream",
      upstream,
      "--config",
      config,
    ]);
    wires = [
      ...httpWires(program.httpUrl),
      grpcWire(program.grpcAddress),
      ...httpWires(gateway.httpUrl).map((wire) => ({ ...wire, name: `${wire.name} of the gateway program` })),
    ];
    live = watchLive(program.opsUrl, gateway.opsUrl);
  });
  afterAll(async () => {
    live?.stop();
    for (const wire of wires ?? []) wire[Symbol.dispose]();
    await gateway?.[Symbol.asyncDispose]();
    await program?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const names = ["REST", "Connect json", "Connect proto", "gRPC-Web", "gRPC"];

  test.each(names)(
    "is refused for want of a key before it is read, or cleanly: %s",
    async (name) => {
      const problems = await sendAll(name, {}, ({ code }, method) => {
        const isOpen = declaredAccess(method) === "open" || !method.parent.typeName.startsWith("docket.");
        return isOpen ? !faults.has(code) : refusedWithoutKey.has(code);
      });
      expect(problems).toEqual([]);
    },
    600_000,
  );

  const gatewayNames = names.slice(0, 4).map((name) => `${name} of the gateway program`);

  // It does not know keys: it refuses what it cannot take, and Docket the rest.
  test.each(gatewayNames)(
    "is refused for want of a key, or before that for what it is: %s",
    async (name) => {
      const problems = await sendAll(name, {}, ({ code }, method) => {
        const isOpen = declaredAccess(method) === "open";
        return !faults.has(code) && (isOpen || !successes.has(code));
      });
      expect(problems).toEqual([]);
    },
    600_000,
  );

  test.each([...names, ...gatewayNames])(
    "has a clean error or success with a key: %s",
    async (name) => {
      const headers = { authorization: `Bearer ${program.key}` };
      expect(await sendAll(name, headers, ({ code }) => !faults.has(code))).toEqual([]);
    },
    600_000,
  );

  /** Sends every case in every encoding. @returns what did not end well, one line each. */
  async function sendAll(
    wireName: string,
    headers: Readonly<Record<string, string>>,
    isFine: (ended: { code: number }, method: DescMethod) => boolean,
  ): Promise<string[]> {
    const wire = wires.find(({ name }) => name === wireName);
    if (wire === undefined) {
      throw new Error(`there is no wire ${wireName}`);
    }
    const problems: string[] = [];
    let sent = 0;
    const cases = casesOf(
      methods.filter(({ parent }) => wire.name === "gRPC" || parent.typeName.startsWith("docket.")),
      wire,
    );
    const work = async () => {
      for (const { method, body, name } of cases) {
        for (const encoding of wire.encodings) {
          try {
            const ended = await wire.send(method, body, encoding, headers);
            if (!isFine(ended, method)) problems.push(`${name} ${encoding}: ${ended.code} ${ended.text}`);
          } catch (error) {
            problems.push(`${name} ${encoding}: ${error}`);
          }
          sent += 1;
        }
      }
    };
    await Promise.all(Array.from({ length: together }, work));
    expect(sent).toBeGreaterThan(100);
    expect(live.failures).toEqual([]);
    expect([program.child.exitCode, gateway.child.exitCode]).toEqual([null, null]);
    return problems.slice(0, 20);
  }
});

interface LiveWatch {
  readonly failures: readonly string[];
  stop(): void;
}

/** Asks for `/live` again and again, one request after the other, and notes each that does not get its 200. */
function watchLive(...opsUrls: readonly string[]): LiveWatch {
  const failures: string[] = [];
  const stopped = new AbortController();
  const ask = async (opsUrl: string) => {
    while (!stopped.signal.aborted) {
      try {
        const outgoing = get(`${opsUrl}/live`, { agent: false, signal: stopped.signal });
        const [{ statusCode }] = await once(outgoing, "response");
        outgoing.destroy();
        if (statusCode !== 200) failures.push(`/live said ${statusCode}`);
      } catch (error) {
        if (!stopped.signal.aborted) failures.push(String(error));
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  for (const opsUrl of opsUrls) void ask(opsUrl);
  return { failures, stop: () => stopped.abort() };
}
