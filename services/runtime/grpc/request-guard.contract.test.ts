import { type ClientHttp2Session, connect, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import { Server, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { noForwarding } from "../../../gateway/http/client-address.ts";
import { createRequestMeter } from "../../../gateway/http/limits/request-meter.ts";
import { defaultServerLimits } from "../../../gateway/http/limits/server-limits.ts";
import { countOpenRequests } from "../../../gateway/http/listener/open-requests.ts";
import { createLogger } from "../telemetry/log.ts";
import { guardCalls } from "./request-guard.ts";
import { createGrpcServer, type GrpcServer } from "./server.ts";

describe("the native gRPC port", () => {
  let server: GrpcServer;
  let session: ClientHttp2Session;
  beforeAll(async () => {
    server = createGrpcServer({ specs: [], interceptors: [], log: createLogger({ level: "silent", name: "test" }) });
    session = connect(`http://127.0.0.1:${await server.listen({ host: "127.0.0.1", port: 0 })}`);
    server.setServing(true);
  });
  afterAll(async () => {
    session.close();
    await server[Symbol.asyncDispose]();
  });

  /** Calls health's Check, of no service, with these headers and chunks; answers the head and the trailers as one. */
  const check = (more: OutgoingHttpHeaders, chunks: readonly Buffer[] = [Buffer.alloc(5)]) =>
    new Promise<IncomingHttpHeaders>((resolve, reject) => {
      const head = { ":method": "POST", ":path": "/grpc.health.v1.Health/Check", "content-type": "application/grpc" };
      const stream = session.request({ ...head, te: "trailers", ...more }, { endStream: false });
      let answer: IncomingHttpHeaders = {};
      const add = (headers: IncomingHttpHeaders) => {
        answer = { ...answer, ...headers };
      };
      stream.on("response", add).on("trailers", add).on("error", reject).resume();
      stream.on("close", () => resolve(answer));
      for (const chunk of chunks) {
        stream.write(chunk);
      }
      stream.end();
    });

  test.each([
    ["application/grpc", {}],
    ["application/grpc+proto", { "content-type": "application/grpc+proto" }],
    ["an encoding that no message has", { "grpc-encoding": "gzip" }],
  ])("serves %s", async (_, headers) => {
    expect(await check(headers)).toMatchObject({ ":status": 200, "grpc-status": "0" });
  });

  test("refuses another verb", async () => {
    expect(await check({ ":method": "DELETE" })).toMatchObject({ ":status": 405, allow: "POST" });
  });

  test.each(["application/grpc+json", "application/grpcx", "application/json"])(
    "refuses the codec %s",
    async (type) => {
      expect(await check({ "content-type": type })).toMatchObject({ ":status": 415 });
    },
  );

  test("refuses an encoding that it does not know, and names those that it does", async () => {
    expect(await check({ "grpc-encoding": "zstd" })).toMatchObject({
      "grpc-status": String(status.UNIMPLEMENTED),
      "grpc-accept-encoding": "identity,deflate,gzip",
    });
  });

  test.each([
    ["the first message", [Buffer.from([1, 0, 0, 0, 0])]],
    ["a later message", [Buffer.from([0, 0, 0, 0, 2, 10, 0, 1, 0, 0, 0, 0])]],
    ["a message in pieces", [Buffer.from([0, 0, 0]), Buffer.from([0, 2, 10]), Buffer.from([0]), Buffer.from([1])]],
  ])("refuses a compressed message in a call without an encoding: %s", async (_, chunks) => {
    expect(await check({}, chunks)).toMatchObject({ "grpc-status": String(status.INTERNAL) });
  });

  test("would say so where grpc-js no longer keeps its servers where they are looked for", () => {
    const options = {
      maxMessageBytes: 1,
      meter: createRequestMeter(),
      openRequests: countOpenRequests(defaultServerLimits),
      stallMs: defaultServerLimits.stallMs,
      takesStream: () => false,
      detailedRefusals: true,
      forwarding: noForwarding,
      log: createLogger({ level: "silent", name: "test" }),
    };
    expect(() => guardCalls(new Server(), options)).toThrow("grpc-js keeps its HTTP/2 servers elsewhere");
  });
});
