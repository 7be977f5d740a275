import { setTimeout as sleep } from "node:timers/promises";
import { anySpec } from "./any-spec.ts";
import {
  echoMethods,
  type Loose,
  libraryMethods,
  type Methods,
  startUnwatchedServer,
  testService,
  testSpec,
} from "./test-api.ts";

const errors: string[] = [];
const transferred = { made: 0, taken: 0 };

/**
 * The library with its streamed messages counted, because messages must not be produced for a client that does not
 * read.
 */
function countedLibrary(): Methods {
  return {
    ...libraryMethods(),
    downloadBooks: async function* (request: Loose) {
      const total = Number(request["byteCount"]);
      for (let sent = 0; sent < total; ) {
        const data = new Uint8Array(Math.min(64 * 1024, total - sent));
        sent += data.length;
        transferred.made += data.length;
        yield { contentType: "application/x-books", data };
      }
    } as never,
    watchBooks: async function* (request: Loose) {
      const title = "x".repeat(64 * 1024);
      for (let at = 0; at < Number(request["count"]); at += 1) {
        transferred.made += title.length;
        yield { book: { title }, resumeToken: String(at) };
      }
    } as never,
    uploadBooks: async (requests) => {
      for await (const request of requests as unknown as AsyncIterable<Loose>) {
        const { length } = request["data"] as Uint8Array;
        // The first message of a stalled upload is consumed, and then no more.
        if (request["contentType"] === "x/stalled") await sleep(60_000);
        transferred.taken += length;
      }
      return { byteCount: BigInt(transferred.taken) };
    },
  };
}

const specs =
  process.argv[2] === "any"
    ? [anySpec(testService("Library")), anySpec(testService("Echo"))]
    : [testSpec("Library", countedLibrary()), testSpec("Echo", echoMethods())];
const server = await startUnwatchedServer({
  specs,
  onError: (error) => errors.push(String(error instanceof Error ? error.stack : error).slice(0, 1000)),
});

const answers: Readonly<Record<string, () => unknown>> = {
  url: () => server.url,
  errors: () => errors,
  transferred: () => transferred,
};
process.on("message", (question: string) => process.send?.(answers[question]?.()));
process.on("disconnect", () => process.exit());
