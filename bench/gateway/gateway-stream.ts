import { once } from "node:events";
import { get, type IncomingMessage, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { startChild } from "../support/child.ts";
import { describeMachine, keepResult, option, printRounds } from "../support/measure.ts";

/**
 * What the server's memory grows by while an HttpBody goes through the gateway, each way, and how much waits in it for a
 * reader that has stopped reading. `--rounds`, `--mebibytes`.
 */
const rounds = option("rounds", 5);
const mebibytes = option("mebibytes", 1024);
const mib = 1024 * 1024;

interface Memory {
  readonly rss: number;
  readonly peakRss: number;
  readonly peakBuffered: number;
}

await using server = await startChild<{ port: number }>(new URL("./gateway-stream-server.ts", import.meta.url), []);
const { port } = server.ready;
const memory = () => server.ask<Memory>("memory");

async function download(size: number): Promise<void> {
  let received = 0;
  for await (const chunk of (await open(size)) as AsyncIterable<Buffer>) received += chunk.length;
  if (received !== size) throw new Error(`got ${received} of ${size} bytes`);
}

async function open(size: number): Promise<IncomingMessage> {
  const sent = get({ port, host: "127.0.0.1", path: `/v1/books:download?byteCount=${size}`, agent: false });
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  return response;
}

async function upload(size: number): Promise<void> {
  const sent = request({ port, host: "127.0.0.1", path: "/v1/books:upload", method: "POST", agent: false });
  const answered = once(sent, "response") as Promise<[IncomingMessage]>;
  const chunk = Buffer.alloc(64 * 1024, 1);
  for (let at = 0; at < size; at += chunk.length) {
    if (!sent.write(chunk)) await once(sent, "drain");
  }
  sent.end();
  const [response] = await answered;
  const { byteCount } = JSON.parse((await response.toArray()).join("")) as { byteCount: string };
  if (byteCount !== String(size)) throw new Error(`sent ${size} bytes, ${byteCount} arrived`);
}

/** Starts a download without reading it, until the server has stopped producing. */
async function stall(): Promise<void> {
  const response = await open(256 * mib);
  response.pause();
  await sleep(1000);
  response.destroy();
}

const machine = await describeMachine([]);
await download(mib);
await upload(mib);
const grown: Record<string, number[]> = { download: [], upload: [] };
const buffered: Record<string, number[]> = { "stalled reader": [] };
// The first round is not counted: V8 lets buffers of up to 64 MiB pile up before it collects them for the first time.
for (let round = -1; round < rounds; round++) {
  for (const [name, transfer] of Object.entries({ download, upload })) {
    const before = await memory();
    await transfer(mebibytes * mib);
    const { peakRss } = await memory();
    if (round >= 0) grown[name]?.push((peakRss - before.rss) / mib);
  }
  await memory();
  await stall();
  const { peakBuffered } = await memory();
  buffered["stalled reader"]?.push(peakBuffered / mib);
}
printRounds({ ...grown, ...buffered }, "MiB");
await keepResult("gateway-stream", { machine, mebibytes, mebibytesGrown: grown, mebibytesBuffered: buffered });
