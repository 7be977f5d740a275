import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Program } from "../../program/server/serve.ts";
import { type Authority, createAuthority } from "../support/certificates.ts";
import { whyNoGo } from "../support/go-programs.ts";
import { http1Ways, http2Ways, type WayToLeave } from "../support/leaving-clients.ts";
import { rawRequest } from "../support/raw-request.ts";
import { startProgram, testDescriptorSet, until } from "../support/start-program.ts";
import { type GrpcGoServer, startGrpcGoServer } from "./server.ts";

const reason = whyNoGo();
const describeWithGo = reason === undefined ? describe : describe.skip;
const skipped = reason === undefined ? "" : ` (skipped: ${reason})`;

describeWithGo(`in front of a grpc-go server${skipped}`, () => {
  let upstream: GrpcGoServer;
  let plain: Program;
  let secure: Program;
  const authority: Authority = createAuthority();
  const { cert, key } = authority.issue("gateway", "IP:127.0.0.1");

  beforeAll(async () => {
    upstream = await startGrpcGoServer();
    const args = [
      "--descriptor-set",
      testDescriptorSet,
      "--upstream",
      upstream.address,
      "--no-watch",
      "--no-health-check",
    ];
    plain = await startProgram(args);
    secure = await startProgram([...args, "--tls-cert", cert, "--tls-key", key]);
  }, 600_000);
  afterAll(async () => {
    await plain?.[Symbol.asyncDispose]();
    await secure?.[Symbol.asyncDispose]();
    await upstream?.[Symbol.asyncDispose]();
    authority[Symbol.dispose]();
  });

  describe("a client that disconnects in mid-stream is cancelled upstream, and never appears complete", () => {
    const leave = async ({ method, open }: WayToLeave, url: string) => {
      const before = upstream.reports.length;
      const client = await open(url);
      const reports = () => upstream.reports.slice(before);
      await until(() => reports().length === 1);
      client.leave();
      await until(() => reports().length === 2);
      const path = `/gateway.test.v1.Library/${method}`;
      expect(reports()).toEqual([
        { method: path, messages: 1, end: "" },
        { method: path, messages: 1, end: "Canceled" },
      ]);
    };

    test.each(http1Ways)("$name", (way) => leave(way, plain.url));

    test.each(http2Ways())("without TLS, $name", (way) => leave(way, plain.url));

    test.each(http2Ways(readFileSync(authority.ca, "utf8")))("with TLS, $name", (way) => leave(way, secure.url));
  });

  test("a call dropped by the server for too many pings is UNAVAILABLE, and its error exposes nothing of the library", async () => {
    const args = ["--descriptor-set", testDescriptorSet, "--upstream", upstream.address, "--no-health-check"];
    await using eager = await startProgram([...args, "--no-watch", "--upstream-keepalive", "1"]);
    const answers = await Promise.all(
      ["/wait", "/v1/books:watch"].map((path) =>
        rawRequest(eager.url, path, { headers: { accept: "application/json" } }),
      ),
    );
    const outcomes = answers.map(({ status, body }) => [status, JSON.parse(body.toString()) as unknown]);
    const lost = { code: 14, message: "the upstream cannot be reached" };
    expect(outcomes).toEqual([
      [503, expect.objectContaining(lost)],
      [503, expect.objectContaining(lost)],
    ]);
  });
});
