import { readFile } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";

/** The server under attack. */
export interface Target {
  readonly httpUrl: string;
  readonly grpcAddress: string;
  readonly adminKey: string;
  readonly pid: number;
}

/** A bounded attack. Resolves with a description of the responses. */
export type Attack = (target: Target) => Promise<string>;

const mib = 1024 * 1024;
const json = { "content-type": "application/json" };
const withKey = ({ adminKey }: Target) => ({ authorization: `Bearer ${adminKey}` });

/** The most elements that fit into 4 MiB. */
const emptyLines = Buffer.from(`{"lineItems":[${"{},".repeat(1_398_000)}{}]}`);
const digits = Buffer.from(`{"item":{"sku":"X","title":"X","stockOnHand":${"9".repeat(4_000_000)}}}`);
const createItem = "/docket.inventory.v1.InventoryService/CreateItem";

export const attacks: Readonly<Record<string, Attack>> = {
  "empty lines in brotli, REST, with a key": (target) =>
    post(target, "/v1/orders", brotliCompressSync(emptyLines), { ...withKey(target), "content-encoding": "br" }),
  "empty lines in brotli, Connect, with a key": (target) =>
    post(target, "/docket.order.v1.OrderService/CreateOrder", brotliCompressSync(nested(emptyLines)), {
      ...withKey(target),
      "content-encoding": "br",
    }),
  "empty lines, gRPC, with a key": (target) =>
    // Field 1 (order) of CreateOrderRequest, with field 7 (line_items) empty and repeated.
    grpc(
      target,
      "/docket.order.v1.OrderService/CreateOrder",
      inField(1, Buffer.alloc(4 * mib - 16, Buffer.from([0x3a, 0]))),
    ),
  "4 MB of empty names to BatchGetOrders, Connect, with a key": (target) =>
    post(
      target,
      "/docket.order.v1.OrderService/BatchGetOrders",
      Buffer.from(`{"names":[${'"",'.repeat(1_330_000)}""]}`),
      withKey(target),
    ),
  "an integer of 4 million digits in brotli, Connect, without a key": (target) =>
    post(target, createItem, brotliCompressSync(digits), { "content-encoding": "br" }),
  "an integer of 4 million digits, uncompressed, Connect, with a key": (target) =>
    post(target, createItem, digits, withKey(target)),
  "4 MiB of blanks in gzip, Connect, without a key": (target) =>
    post(target, "/docket.order.v1.OrderService/ListOrders", gzipSync(Buffer.alloc(4 * mib, " ")), {
      "content-encoding": "gzip",
    }),
  "50 unsigned carrier callbacks of 1 MiB": async (target) => {
    const body = Buffer.alloc(mib - 1024, "x");
    return tally(range(50).map(() => post(target, "/v1/webhooks/carriers/sandbox", body, {})));
  },
  "150 bodies at a byte a second, for 60 s": async ({ httpUrl }) => {
    const head =
      "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 3000000\r\n\r\n";
    let cut = 0;
    const sockets = range(150).map(() => {
      const socket = connect(Number(new URL(httpUrl).port), "127.0.0.1");
      socket.write(head);
      socket.on("error", () => undefined).on("close", () => (cut += 1));
      return socket.resume();
    });
    for (let second = 0; second < 60 && cut < sockets.length; second += 1) {
      for (const socket of sockets) if (!socket.destroyed) socket.write("x");
      await sleep(1000);
    }
    const byServer = cut;
    for (const socket of sockets) socket.destroy();
    return `${byServer} of ${sockets.length} ended by the server`;
  },
  "50,000 gRPC streams on one connection": async (target) => {
    const session = connectHttp2(`http://${target.grpcAddress}`);
    session.on("error", () => undefined);
    let refused = 0;
    for (let at = 0; at < 50_000 && !session.destroyed; at += 1) {
      const stream = session.request({
        ":method": "POST",
        ":path": "/docket.order.v1.OrderService/WatchOrders",
        "content-type": "application/grpc",
        ...withKey(target),
      });
      stream.on("error", () => (refused += 1));
      stream.on("end", () => (refused += 1)).resume();
      if (at % 1000 === 0) await sleep(5);
    }
    await sleep(2000);
    session.destroy();
    return `${refused} refused or ended`;
  },
  "60 unfinished gRPC messages of 8 MB on one connection": async (target) => {
    const session = connectHttp2(`http://${target.grpcAddress}`);
    session.on("error", () => undefined);
    let refused = 0;
    const head = Buffer.from([0, 0, 0x80, 0, 0]);
    for (const _ of range(60)) {
      const stream = session.request({
        ":method": "POST",
        ":path": "/docket.order.v1.OrderService/CreateOrder",
        "content-type": "application/grpc",
        ...withKey(target),
      });
      stream.on("error", () => (refused += 1));
      stream.on("end", () => (refused += 1)).resume();
      stream.write(head);
      stream.write(Buffer.alloc(8 * mib - 100));
    }
    await sleep(5000);
    session.destroy();
    return `${refused} refused or ended`;
  },
  "an import of 100,000 rows in gzip": (target) => {
    const rows = "EUR,c,N,L,C,DE,X,1\n".repeat(100_000);
    const body = gzipSync(
      `currency_code,customer_id,recipient,address_lines,locality,region_code,sku,quantity\n${rows}`,
    );
    return post(target, "/v1/orders:import", body, {
      ...withKey(target),
      "content-type": "text/csv",
      "content-encoding": "gzip",
    });
  },
  "8 costly filters over 20,000 items": async (target) => {
    for (const batch of range(20)) {
      const items = range(1000).map((at) => ({ sku: `S${batch}-${at}`, title: "ab".repeat(127), stockOnHand: 1 }));
      await post(target, "/v1/items:batchUpsert", Buffer.from(JSON.stringify({ items })), withKey(target));
    }
    const filters = range(8).map((at) => `title = "*b*${"ab".repeat(20)}c${at}"`);
    return tally(filters.map((filter) => get(target, `/v1/items?filter=${encodeURIComponent(filter)}`)));
  },
  "5,000 idle watchers, for 20 s": async (target) => {
    const sessions = range(5).map(() => connectHttp2(`http://${target.grpcAddress}`));
    let ended = 0;
    for (const session of sessions) {
      session.on("error", () => undefined);
      for (const _ of range(1000)) {
        const stream = session.request({
          ":method": "POST",
          ":path": "/docket.order.v1.OrderService/WatchOrders",
          "content-type": "application/grpc",
          te: "trailers",
          ...withKey(target),
        });
        stream.on("error", () => undefined).on("close", () => (ended += 1));
        stream.resume().end(Buffer.alloc(5));
      }
      await sleep(1000);
    }
    await sleep(5000);
    const before = await cpuSeconds(target.pid);
    await sleep(20_000);
    const share = ((await cpuSeconds(target.pid)) - before) / 20;
    const outcome = `${5000 - ended} open, ${(share * 100).toFixed(0)} % of a core`;
    for (const session of sessions) session.destroy();
    return outcome;
  },
  "40 unread exports of 16 MB each": async (target) => {
    const item = {
      sku: "TEA",
      title: "x".repeat(255),
      stockOnHand: 1_000_000,
      prices: [{ currencyCode: "EUR", units: 4 }],
    };
    await post(target, "/v1/items", Buffer.from(JSON.stringify(item)), withKey(target));
    const address = { recipient: "A", addressLines: ["1 Main St"], locality: "Berlin", regionCode: "DE" };
    const lineItems = range(500).map(() => ({ sku: "TEA", quantity: 1 }));
    for (const _ of range(60)) {
      const order = { currencyCode: "EUR", customer: { id: "c" }, shippingAddress: address, lineItems };
      await post(target, "/v1/orders", Buffer.from(JSON.stringify(order)), withKey(target));
    }
    let refused = 0;
    const sockets = range(40).map(() => {
      const socket = connect(Number(new URL(target.httpUrl).port), "127.0.0.1");
      socket.on("error", () => undefined);
      socket.once("data", (chunk: Buffer) => {
        if (!chunk.includes("HTTP/1.1 200")) refused += 1;
        socket.pause();
      });
      socket.write(
        `GET /v1/orders:export?format=NDJSON HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${target.adminKey}\r\n\r\n`,
      );
      return socket;
    });
    // A paused socket does not report that it was closed; freed slots of the server do.
    let freed = false;
    for (let second = 0; second < 150 && !freed; second += 1) {
      await sleep(1000);
      freed = second > 5 && (await get(target, "/v1/orders:export?filter=state%3DCANCELLED")).startsWith("HTTP 200");
    }
    for (const socket of sockets) socket.destroy();
    return `${refused} of ${sockets.length} refused; the others ${freed ? "ended by the server" : "stayed open"}`;
  },
};

/** CPU time of a process in seconds, from Linux' ticks of 10 ms. */
async function cpuSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function get({ httpUrl, adminKey }: Target, path: string): Promise<string> {
  const headers = { authorization: `Bearer ${adminKey}` };
  const response = await fetch(`${httpUrl}${path}`, { headers, signal: AbortSignal.timeout(120_000) });
  await response.arrayBuffer();
  return `HTTP ${response.status}`;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at);
}

function nested(order: Buffer): Buffer {
  return Buffer.concat([Buffer.from('{"order":'), order, Buffer.from("}")]);
}

function inField(number: number, value: Buffer): Buffer {
  const length: number[] = [];
  for (let rest = value.length; ; rest >>>= 7) {
    length.push((rest & 127) | (rest > 127 ? 128 : 0));
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), value]);
}

async function post(
  { httpUrl }: Target,
  path: string,
  body: Buffer,
  headers: Readonly<Record<string, string>>,
): Promise<string> {
  try {
    const response = await fetch(`${httpUrl}${path}`, {
      method: "POST",
      body: new Uint8Array(body),
      headers: { ...json, ...headers },
      signal: AbortSignal.timeout(120_000),
    });
    const { byteLength: length } = await response.arrayBuffer();
    return `HTTP ${response.status}, ${length} bytes`;
  } catch (error) {
    return `no response (${error instanceof Error ? (error.cause ?? error.message) : error})`;
  }
}

function grpc(target: Target, path: string, body: Buffer): Promise<string> {
  const client = new Client(target.grpcAddress, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${target.adminKey}`);
  const asIs = (bytes: Buffer) => bytes;
  return new Promise((resolve) => {
    const deadline = Date.now() + 120_000;
    client.makeUnaryRequest(path, asIs, asIs, body, metadata, { deadline }, (error: ServiceError | null) => {
      client.close();
      resolve(error === null ? "OK" : `code ${error.code}, ${error.details.length} characters`);
    });
  });
}

async function tally(outcomes: readonly Promise<string>[]): Promise<string> {
  const counts = new Map<string, number>();
  for (const outcome of await Promise.all(outcomes)) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  return [...counts].map(([outcome, count]) => `${count} × ${outcome}`).join("; ");
}
