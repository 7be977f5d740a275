import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createHttpHandler } from "../../gateway/http-handler.ts";
import { type Loose, libraryMethods, testRegistry, testSpec } from "../../gateway/test/support/test-api.ts";
import { serveParent } from "../support/child.ts";

/**
 * The server of `gateway-stream.ts`: the gateway over the test API. What is downloaded is one chunk over and over, what is
 * uploaded is counted, so that what memory holds more than before is the gateway's and Node's.
 */
const chunk = new Uint8Array(64 * 1024).fill(1);
async function* download(request: Loose): AsyncGenerator<unknown> {
  for (let left = Number(request["byteCount"]); left > 0; left -= chunk.length) {
    yield { contentType: "application/octet-stream", data: chunk.subarray(0, left) };
  }
}

let peakRss = 0;
let peakBuffered = 0;
let answering: ServerResponse | undefined;
const sample = (): void => {
  peakRss = Math.max(peakRss, process.memoryUsage.rss());
  peakBuffered = Math.max(peakBuffered, answering?.writableLength ?? 0);
};
setInterval(sample, 5);

const handler = createHttpHandler({
  specs: [testSpec("Library", { ...libraryMethods(), downloadBooks: download as never })],
  registry: testRegistry,
});
const server = createServer((request, response) => {
  answering = response;
  handler(request, response);
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
serveParent(
  { port: (server.address() as AddressInfo).port },
  {
    /** Bytes: what is resident now, and the most that was resident or waited to be sent since the last question. */
    memory: () => {
      sample();
      const answer = { rss: process.memoryUsage.rss(), peakRss, peakBuffered };
      peakRss = 0;
      peakBuffered = 0;
      return answer;
    },
  },
  () => {},
);
