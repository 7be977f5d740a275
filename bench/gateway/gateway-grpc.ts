import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client, credentials } from "@grpc/grpc-js";
import { startChild } from "../support/child.ts";
import { drive } from "../support/load.ts";
import { describeMachine, keepResult, option, printRatios, printRounds } from "../support/measure.ts";
import { type Contender, cpuMicrosOf, startProcess } from "./gateway-process.ts";

/**
 * CPU per unary gRPC call of the gateway as a program that forwards messages as bytes, against the same program that
 * decodes them, as it does with `maxElements`. `--rounds`, `--requests`, `--concurrency`. Reads /proc, so Linux only.
 */
const rounds = option("rounds", 5);
const requests = option("requests", 5_000);
const concurrency = option("concurrency", 32);
const root = fileURLToPath(new URL("../..", import.meta.url));

const folder = mkdtempSync(join(tmpdir(), "gateway-grpc-"));
const decoding = join(folder, "gateway.json");
writeFileSync(decoding, JSON.stringify({ maxElements: 100_000 }));
await using backend = await startChild<{ port: number }>(new URL("./gateway-grpc-backend.ts", import.meta.url), []);
const start = (name: string, ...args: string[]): Promise<Contender> =>
  startProcess(name, process.execPath, [
    ...["--disable-warning=ExperimentalWarning", `${root}gateway/main.ts`, "--no-watch", "--no-health-check"],
    ...["--descriptor-set", `${root}gateway/test/testdata/api.binpb`, "--upstream", `127.0.0.1:${backend.ready.port}`],
    ...["--host", "127.0.0.1", "--port", "0", ...args],
  ]);
const contenders = [await start("bytes"), await start("decoded", "--config", decoding)];
// Until the direct connection to the backend is open, calls are decoded.
await sleep(1000);

const passBytes = (bytes: Buffer): Buffer => bytes;
/** A `Book` of the test API: a name and a title. */
const book = (bytes: number): Buffer => {
  const title = Buffer.alloc(bytes, "x");
  const length = [(bytes & 0x7f) | 0x80, (bytes >> 7) & 0x7f];
  return Buffer.concat([Buffer.from("\x0a\x07books/1\x12"), Buffer.from(length), title]);
};
const path = "/gateway.test.v1.Library/CreateBook";
const calls = contenders.flatMap((contender) => {
  const client = new Client(`127.0.0.1:${contender.port}`, credentials.createInsecure());
  return [200, 10_000].map((bytes) => {
    // The book is field 2 of the request; the backend returns it.
    const sent = book(bytes);
    const head = Buffer.from([0x12, (sent.length & 0x7f) | 0x80, sent.length >> 7]);
    const request = Buffer.concat([head, sent]);
    const call = (): Promise<void> =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(path, passBytes, passBytes, request, (error, answer) => {
          if (error !== null) reject(error);
          else if (answer?.equals(sent) !== true) reject(new Error(`sent ${sent.length} bytes, got ${answer?.length}`));
          else resolve();
        });
      });
    return { name: `${bytes} B ${contender.name}`, contender, client, call };
  });
});
for (const { call } of calls) await call();

const machine = await describeMachine(["@grpc/grpc-js", "@bufbuild/protobuf", "@connectrpc/connect"]);
const micros: Record<string, number[]> = Object.fromEntries(calls.map(({ name }) => [name, []]));
// The first two rounds are warm-up.
for (let round = -2; round < rounds; round++) {
  for (const { name, contender, call } of calls) {
    const before = cpuMicrosOf(contender);
    const { latenciesMs } = await drive({ concurrency, count: requests, seconds: 3 }, call);
    if (round >= 0) micros[name]?.push((cpuMicrosOf(contender) - before) / latenciesMs.length);
  }
}
console.log(`${requests} unary calls or 3 s a round, ${concurrency} at a time`);
printRounds(micros, "µs CPU per call");
printRatios(micros, [
  ["200 B bytes", "200 B decoded"],
  ["10000 B bytes", "10000 B decoded"],
]);
await keepResult("gateway-grpc", { machine, requests, concurrency, microsPerCall: micros });
for (const { client } of calls) client.close();
for (const { process: child } of contenders) {
  child.kill("SIGTERM");
  await once(child, "exit");
}
rmSync(folder, { recursive: true });
process.exit();
