import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Program } from "../../program/server/serve.ts";
import { type Authority, createAuthority } from "../support/certificates.ts";
import { whyNoGo } from "../support/go-programs.ts";
import { startProgram, testDescriptorSet, until } from "../support/start-program.ts";
import { buildGrpcGoClient, type CallOutcome, type GrpcGoClient } from "./client.ts";
import { type CallReport, type GrpcGoServer, startGrpcGoServer } from "./server.ts";

const reason = whyNoGo();
const describeWithGo = reason === undefined ? describe : describe.skip;
const skipped = reason === undefined ? "" : ` (skipped: ${reason})`;

/** The test sends texts, which are not Protobuf: only a gateway that decodes nothing forwards them. */
describeWithGo(`gRPC of a grpc-go client to a grpc-go server${skipped}`, () => {
  let upstream: GrpcGoServer;
  let client: GrpcGoClient;
  let plain: Program;
  let secure: Program;
  const authority: Authority = createAuthority();

  beforeAll(async () => {
    upstream = await startGrpcGoServer();
    client = await buildGrpcGoClient();
    const { cert, key } = authority.issue("gateway", "IP:127.0.0.1");
    const args = ["--descriptor-set", testDescriptorSet, "--upstream", upstream.address, "--no-watch"];
    plain = await startProgram([...args, "--no-health-check"]);
    secure = await startProgram([...args, "--no-health-check", "--tls-cert", cert, "--tls-key", key]);
    for (const { url } of [plain, secure]) await until(async () => (await call(url, [], "text")).code === "OK");
  }, 600_000);
  afterAll(async () => {
    await plain?.[Symbol.asyncDispose]();
    await secure?.[Symbol.asyncDispose]();
    await upstream?.[Symbol.asyncDispose]();
    authority[Symbol.dispose]();
  });

  const call = (url: string, flags: readonly string[], ...messages: readonly string[]): Promise<CallOutcome> =>
    client(
      ...["-address", new URL(url).host, ...(url.startsWith("https") ? ["-ca", authority.ca] : [])],
      ...["-method", "/gateway.test.v1.Library/GetBook", "-behavior", "join", ...flags, ...messages],
    );
  const ok = { code: "OK", message: "", details: [] };

  describe.each([
    ["without TLS", () => plain.url],
    ["with TLS", () => secure.url],
  ])("%s", (_, urlOf) => {
    test("unary calls have metadata, deadline and trailers, with repeated and binary values kept apart", async () => {
      const outcome = await call(urlOf(), ["-timeout", "20s"], "one");
      expect(outcome).toMatchObject({ ...ok, messages: ["one"] });
      expect(outcome.header).toMatchObject({ "x-sent": ["a", "b, c"], "x-sent-bin": ["\x00�"] });
      expect(outcome.trailer).toEqual({ "x-sent": ["a", "b, c"] });
      const left = Number(outcome.header?.["x-milliseconds-left"]?.[0]);
      expect(left).toBeGreaterThan(0);
      expect(left).toBeLessThanOrEqual(20_000);
    });

    test("server streams, client streams and streams in both directions", async () => {
      const library = "/gateway.test.v1.Library";
      const server = ["-kind", "server", "-method", `${library}/DownloadBooks`, "-behavior", "echo"];
      expect(await call(urlOf(), server, "one")).toMatchObject({ ...ok, messages: ["one"] });
      const upload = ["-kind", "client", "-method", `${library}/ImportBooks`];
      expect(await call(urlOf(), upload, "one", "two")).toMatchObject({ ...ok, messages: ["onetwo"] });
      const both = ["-kind", "bidi", "-method", `${library}/Chat`, "-behavior", "echo"];
      expect(await call(urlOf(), both, "one", "two", "three")).toMatchObject({
        ...ok,
        messages: ["one", "two", "three"],
      });
    });

    test("compressed calls", async () => {
      const outcome = await call(urlOf(), ["-gzip", "-repeat", "1000000"], "compressible");
      expect(outcome).toMatchObject({ ...ok, bytes: 1_000_000 });
    });

    test("errors with details, and trailers", async () => {
      const outcome = await call(urlOf(), ["-behavior", "fail"], "one");
      expect(outcome).toMatchObject({ code: "NotFound", message: "gone: 100 %, ü" });
      expect(outcome.details).toEqual(["type.googleapis.com/google.rpc.ErrorInfo"]);
      expect(outcome.trailer).toMatchObject({ "x-sent": ["a", "b, c"] });
    });

    test("messages up to the limit of 4 MiB, and RESOURCE_EXHAUSTED above", async () => {
      const most = await call(urlOf(), ["-repeat", String(4 * 1024 * 1024)], "x");
      expect(most).toMatchObject({ ...ok, bytes: 4 * 1024 * 1024 });
      const before = upstream.reports.length;
      const more = await call(urlOf(), ["-repeat", String(4 * 1024 * 1024 + 1)], "x");
      expect(more).toMatchObject({
        code: "ResourceExhausted",
        message: "the request body is larger than 4194304 bytes",
      });
      expect(ends(upstream.reports.slice(before))).not.toContain("EOF");
    });

    test("a deadline ends the call on both sides", async () => {
      const outcome = await call(
        urlOf(),
        ["-method", "/gateway.test.v1.Echo/Wait", "-behavior", "", "-timeout", "300ms"],
        "x",
      );
      expect(outcome.code).toBe("DeadlineExceeded");
    });

    test("a call cancelled in mid-stream is cancelled upstream, and never appears complete", async () => {
      const before = upstream.reports.length;
      const outcome = await call(
        urlOf(),
        ["-kind", "bidi", "-method", "/gateway.test.v1.Library/Chat", "-behavior", "echo", "-cancel"],
        ...["one", "two"],
      );
      expect(outcome).toMatchObject({ code: "Canceled", messages: ["one"] });
      await until(() => ends(upstream.reports.slice(before)).length > 0);
      expect(ends(upstream.reports.slice(before))).toEqual(["Canceled"]);
    });

    test("unknown methods and services are UNIMPLEMENTED, without reaching the upstream", async () => {
      const before = upstream.reports.length;
      for (const method of ["/gateway.test.v1.Library/Burn", "/shop.v1.Orders/Get"]) {
        expect(await call(urlOf(), ["-method", method], "x")).toMatchObject({
          code: "Unimplemented",
          message: `unknown method ${method}`,
        });
      }
      expect(upstream.reports.slice(before)).toEqual([]);
    });
  });
});

/** How calls ended. */
function ends(reports: readonly CallReport[]): string[] {
  return reports.map(({ end }) => end).filter((end) => end !== "");
}
