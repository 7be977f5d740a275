import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { createClient } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { ProbeService } from "../call/testing/probe-service.ts";
import { createGrpcTransport } from "./transport.ts";

test.each(["an aborted signal", "requests that fail"])(
  "%s in mid-stream cancels the call at the server, which does not see the end of the requests",
  async (how) => {
    await using server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const seen: string[] = [];
    const ended = new Promise<void>((resolve) => {
      server.on("stream", (stream: ServerHttp2Stream) => {
        stream.respond({ ":status": 200, "content-type": "application/grpc" });
        stream.once("data", () => cut());
        stream.on("end", () => !stream.aborted && seen.push("the end of the requests"));
        stream.on("aborted", () => seen.push("a reset stream"));
        stream.on("error", () => undefined);
        stream.on("close", resolve);
      });
    });

    const controller = new AbortController();
    let cut = (): void => controller.abort();
    const failing = new Promise<never>((_, reject) => {
      if (how !== "an aborted signal") cut = () => reject(new Error("the source failed"));
    });
    await using channel = createGrpcTransport({ address: `127.0.0.1:${port}` });
    async function* requests() {
      yield { text: "first" };
      await failing;
    }
    const client = createClient(ProbeService, channel.transport);
    const reading = async (): Promise<void> => {
      for await (const _ of client.converse(requests(), { signal: controller.signal }));
    };
    await expect(reading()).rejects.toThrow();
    await ended;
    expect(seen).toEqual(["a reset stream"]);
  },
);
