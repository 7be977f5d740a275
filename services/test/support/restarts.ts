import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { WebSocket } from "ws";
import { createAuthority } from "../../../gateway/test/support/certificates.ts";
import { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { ApiKeyService } from "../../../gen/docket/operations/v1/api_key_service_pb.js";
import { OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { money } from "../../../web-client/sdk/money.ts";
import { freePorts } from "../../runtime/testing/free-ports.ts";
import { type Program, startProgram } from "./program.ts";
import { teaOrder } from "./shop.ts";

/** What restarts under load did. */
export interface RestartReport {
  /** Calls that succeeded, by wire. */
  readonly succeeded: Readonly<Record<string, number>>;
  /** Calls that a stopped or stopping process did not accept, by wire and error. They had no effect. */
  readonly refused: Readonly<Record<string, number>>;
  /** Calls that the server served or that had an effect, and that the client saw fail, by wire and error. */
  readonly failed: readonly string[];
  /** How streams ended, by wire and status. */
  readonly streamEnds: Readonly<Record<string, number>>;
  /** Orders whose creation each watcher saw; each should have seen all. */
  readonly watched: Readonly<Record<string, number>>;
  readonly orders: number;
  /** Milliseconds from SIGTERM to the exit of each process. */
  readonly exitMs: readonly number[];
  readonly exitCodes: readonly (number | null)[];
}

export interface RestartOptions {
  readonly restarts: number;
  /** Successful calls between two restarts. */
  readonly callsBetween: number;
  /** Settings of the program. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Called after each exit. */
  readonly onRestart?: (nth: number) => void;
}

const key = `dk_${"k".repeat(40)}`;
/** Calls of each wire at a time. */
const parallel = 3;

/**
 * Restarts the program on the same ports and data again and again, while clients call it on four wires (REST and
 * gRPC-Web over HTTP/1.1, Connect over HTTP/2, gRPC) and watch orders on four.
 */
export async function restartUnderLoad(options: RestartOptions): Promise<RestartReport> {
  const { restarts, callsBetween, environment, onRestart } = options;
  await using stack = new AsyncDisposableStack();
  const authority = stack.use(createAuthority());
  const { cert, key: certKey } = authority.issue("docket", "IP:127.0.0.1");
  const folder = await mkdtemp(join(tmpdir(), "docket-restarts-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const [httpPort = 0, grpcPort = 0] = await freePorts(2);
  const settings = {
    DOCKET_DATA_DIR: folder,
    DOCKET_ADMIN_KEY: key,
    DOCKET_HTTP_PORT: `${httpPort}`,
    DOCKET_GRPC_PORT: `${grpcPort}`,
    DOCKET_TLS_CERT_FILE: cert,
    DOCKET_TLS_KEY_FILE: certKey,
    DOCKET_LOG_LEVEL: "info",
    DOCKET_DRAIN_BUDGET: "15s",
    DOCKET_DRAIN_WINDOW: "200ms",
    DOCKET_RATE_LIMIT_PER_KEY: "0",
    DOCKET_RATE_LIMIT_PER_TENANT: "0",
    NODE_EXTRA_CA_CERTS: authority.ca,
    ...environment,
  };
  const load = startLoad({ httpPort, grpcPort, ca: readFileSync(authority.ca) });
  stack.defer(load.stop);

  const logs: string[] = [];
  const exitMs: number[] = [];
  const exitCodes: (number | null)[] = [];
  const run = async (work: (program: Program) => Promise<void>) => {
    await using program = await startProgram(settings);
    await work(program);
    const begin = performance.now();
    exitCodes.push(await program.stop());
    exitMs.push(Math.round(performance.now() - begin));
    logs.push(program.logged());
    onRestart?.(exitMs.length);
  };
  for (let nth = 0; nth <= restarts; nth++) {
    await run(async () => {
      if (nth === 0) {
        await load.stock();
      }
      const before = load.succeeded();
      await load.placeOrder();
      await waitUntil(() => load.succeeded() >= before + callsBetween);
      // The last process stays until every watcher has caught up.
      for (let waited = 0; nth === restarts && waited < 15_000 && !load.caughtUp(); waited += 50) {
        await sleep(50);
      }
      if (nth === restarts) {
        await load.finishCalls();
      }
    });
  }
  await load.stop();
  const effects = new Set<string>();
  await run(async () => {
    for (const name of await load.createdKeys()) {
      effects.add(name);
    }
  });
  return { ...load.report(servedIds(logs), effects), exitMs, exitCodes };
}

/** Request ids of the calls that the program served, by its log. */
function servedIds(logs: readonly string[]): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const line of logs.flatMap((log) => log.split("\n"))) {
    const entry = line.startsWith("{") ? (JSON.parse(line) as { msg?: string; request_id?: string }) : {};
    if (entry.msg === "rpc" && entry.request_id !== undefined) {
      ids.add(entry.request_id);
    }
  }
  return ids;
}

function startLoad({ httpPort, grpcPort, ca }: { httpPort: number; grpcPort: number; ca: Buffer }) {
  const ended = new AbortController();
  const callsEnded = new AbortController();
  const baseUrl = `https://127.0.0.1:${httpPort}`;
  const nodeOptions = { ca };
  const agent = new Agent({ keepAlive: true, ca });
  const transports: Record<string, Transport> = {
    connect: createConnectTransport({ baseUrl, httpVersion: "2", nodeOptions, interceptors: [asAdmin] }),
    grpcWeb: createGrpcWebTransport({
      baseUrl,
      httpVersion: "1.1",
      nodeOptions: { ...nodeOptions, agent },
      interceptors: [asAdmin],
    }),
    grpc: createGrpcTransport({ baseUrl: `https://127.0.0.1:${grpcPort}`, nodeOptions, interceptors: [asAdmin] }),
  };
  const ways: Record<string, (id: string) => Promise<unknown>> = {
    rest: (id) => createByRest(agent, baseUrl, id),
  };
  for (const [name, transport] of Object.entries(transports)) {
    const client = createClient(ApiKeyService, transport);
    ways[name] = (id) => client.createApiKey(newKey(id), { headers: { "x-request-id": id }, timeoutMs: 20_000 });
  }

  const succeeded = new Map<string, number>();
  const errors: { wire: string; id: string; error: string }[] = [];
  const callers = Object.entries(ways).flatMap(([wire, call]) =>
    Array.from({ length: parallel }, async () => {
      while (!callsEnded.signal.aborted) {
        const id = randomUUID();
        try {
          await call(id);
          count(succeeded, wire);
        } catch (error) {
          errors.push({ wire, id, error: textOf(error) });
          await sleep(25);
        }
      }
    }),
  );

  const orders = new Set<string>();
  const streamEnds = new Map<string, number>();
  const watched = new Map<string, Set<string>>();
  const watchers = Object.entries(transports).map(async ([wire, transport]) => {
    const client = createClient(OrderService, transport);
    const seen = new Set<string>();
    watched.set(wire, seen);
    let resumeToken = "";
    while (!ended.signal.aborted) {
      let isOpen = false;
      try {
        for await (const message of client.watchOrders({ resumeToken }, { signal: ended.signal, timeoutMs: 0 })) {
          isOpen = true;
          resumeToken = message.resumeToken;
          seen.add(message.order?.name ?? "");
        }
        count(streamEnds, `${wire} OK`);
      } catch (error) {
        if (!ended.signal.aborted && isOpen) {
          count(streamEnds, `${wire} ${textOf(error)}`);
        }
      }
      await sleep(50);
    }
  });
  watchers.push(watchByWebSocket(baseUrl, ca, ended.signal, (end) => count(streamEnds, `webSocket ${end}`)));

  const { connect } = transports;
  const stop = async () => {
    callsEnded.abort();
    ended.abort();
    await Promise.all([...callers, ...watchers]);
    agent.destroy();
  };
  const caughtUp = () => [...watched.values()].every((seen) => orders.isSubsetOf(seen));
  return {
    stop,
    caughtUp,
    succeeded: () => [...succeeded.values()].reduce((sum, each) => sum + each, 0),
    async finishCalls() {
      callsEnded.abort();
      await Promise.all(callers);
    },
    /** Creates what the orders buy. */
    async stock() {
      const prices = [money("EUR", "4.50")];
      const item = { sku: "TEA", title: "Green tea", prices, stockOnHand: 1_000_000n };
      await createClient(InventoryService, connect as Transport).createItem({ item });
    },
    /** Creates an order that every watcher must see. */
    async placeOrder() {
      await waitUntil(() => [...watched.values()].every((seen) => seen.size > 0));
      const client = createClient(OrderService, connect as Transport);
      const requestId = randomUUID();
      for (;;) {
        try {
          orders.add((await client.createOrder({ order: teaOrder(), requestId })).name);
          return;
        } catch (error) {
          if (ConnectError.from(error).code !== Code.Unavailable) {
            throw error;
          }
          await sleep(50);
        }
      }
    },
    async createdKeys() {
      const client = createClient(
        ApiKeyService,
        createConnectTransport({
          baseUrl,
          httpVersion: "1.1",
          nodeOptions,
          interceptors: [asAdmin],
        }),
      );
      const names: string[] = [];
      for (let pageToken = ""; ; ) {
        const page = await client.listApiKeys({ pageSize: 1000, pageToken });
        names.push(...page.apiKeys.map(({ displayName }) => displayName));
        if (page.nextPageToken === "") {
          return names;
        }
        pageToken = page.nextPageToken;
      }
    },
    report(served: ReadonlySet<string>, effects: ReadonlySet<string>) {
      const refused = new Map<string, number>();
      const failed: string[] = [];
      for (const { wire, id, error } of errors) {
        if (served.has(id) || effects.has(id)) {
          failed.push(`${wire} ${error}${effects.has(id) ? " (with effect)" : ""}`);
        } else {
          count(refused, `${wire} ${error}`);
        }
      }
      return {
        succeeded: Object.fromEntries(succeeded),
        refused: Object.fromEntries(refused),
        failed,
        streamEnds: Object.fromEntries(streamEnds),
        watched: Object.fromEntries([...watched].map(([wire, seen]) => [wire, orders.intersection(seen).size])),
        orders: orders.size,
      };
    },
  };
}

const asAdmin: Interceptor = (next) => (call) => {
  call.header.set("authorization", `Bearer ${key}`);
  return next(call);
};

const newKey = (displayName: string) => ({ apiKey: { displayName, scopes: ["orders.read"] } });

function createByRest(agent: Agent, baseUrl: string, id: string): Promise<void> {
  const headers = { "content-type": "application/json", authorization: `Bearer ${key}`, "x-request-id": id };
  return new Promise((resolve, reject) => {
    request(`${baseUrl}/v1/apiKeys`, { agent, method: "POST", headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
      });
      response.on("error", reject);
      response.on("end", () => {
        if (response.complete && response.statusCode === 201) {
          resolve();
        } else {
          reject(new Error(`${response.statusCode} ${text.slice(0, 60)}`));
        }
      });
    })
      .on("error", reject)
      .end(JSON.stringify(newKey(id).apiKey));
  });
}

/** Watches until the signal is aborted, over a new WebSocket whenever one ends. Reports the close code of each. */
async function watchByWebSocket(
  baseUrl: string,
  ca: Buffer,
  signal: AbortSignal,
  onEnd: (end: string) => void,
): Promise<void> {
  while (!signal.aborted) {
    const socket = new WebSocket(`${baseUrl.replace("https:", "wss:")}/v1/orders:watch`, {
      ca,
      headers: { authorization: `Bearer ${key}` },
    });
    let last = "";
    let opened = false;
    socket.on("open", () => {
      opened = true;
      socket.send("{}");
      socket.send("");
    });
    socket.on("message", (data) => {
      last = String(data);
    });
    socket.on("error", () => {});
    const close = () => socket.terminate();
    signal.addEventListener("abort", close);
    const code = await new Promise<number>((resolve) => socket.once("close", resolve));
    signal.removeEventListener("abort", close);
    if (opened && !signal.aborted) {
      onEnd(`${code} ${/"reason":"([A-Z_]+)"/.exec(last)?.[1] ?? "no reason"}`);
    }
    await sleep(50);
  }
}

async function waitUntil(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await sleep(20);
  }
}

function textOf(error: unknown): string {
  if (error instanceof ConnectError) {
    const reason = error.rawMessage.slice(0, 60);
    return `${Code[error.code]}: ${reason}`;
  }
  const { code, message } = error as { code?: string; message: string };
  return code ?? message;
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
