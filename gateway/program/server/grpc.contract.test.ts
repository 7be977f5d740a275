import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import {
  Client,
  credentials,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ServerReflection as V1 } from "../../../gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as V1Alpha } from "../../../gen/grpc/reflection/v1alpha/reflection_pb.js";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../../gen/health/v1/health_pb.js";
import { createAuthority } from "../../test/support/certificates.ts";
import { type GrpcUpstream, startGrpcUpstream } from "../../test/support/grpc-upstream.ts";
import { rawRequest } from "../../test/support/raw-request.ts";
import { startProgram, testDescriptorSet, until } from "../../test/support/start-program.ts";
import { echoMethods, type Loose, libraryMethods, testMessage, testSpec } from "../../test/support/test-api.ts";
import type { Program } from "./serve.ts";

const asIs = (bytes: Buffer): Buffer => bytes;
const encode = (name: string, init: object): Buffer => {
  const desc = testMessage(name);
  return Buffer.from(toBinary(desc, create(desc, init as never)));
};
const decode = (name: string, bytes: Buffer): Loose => fromBinary(testMessage(name), bytes) as Loose;

describe("gRPC on the port of the program, without TLS", () => {
  let upstream: GrpcUpstream;
  let program: Program;
  let client: Client;
  let session: Http2SessionManager;

  beforeAll(async () => {
    upstream = await startGrpcUpstream([testSpec("Library", libraryMethods()), testSpec("Echo", echoMethods())]);
    program = await startProgram(["--descriptor-set", testDescriptorSet, "--upstream", upstream.address]);
    client = new Client(new URL(program.url).host, credentials.createInsecure());
    session = new Http2SessionManager(program.url);
  });
  afterAll(async () => {
    client.close();
    session.abort();
    await program[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  });

  const unary = (path: string, message: Buffer, options = {}) =>
    new Promise<{ answer: Buffer; header: Metadata; trailer: Metadata }>((resolve, reject) => {
      let header = new Metadata();
      let answer: Buffer = Buffer.alloc(0);
      const call = client.makeUnaryRequest(path, asIs, asIs, message, new Metadata(), options, (error, value) => {
        if (error !== null) reject(error);
        else answer = value ?? answer;
      });
      call.on("metadata", (received) => {
        header = received;
      });
      call.on("status", ({ metadata }) => resolve({ answer, header, trailer: metadata }));
    });

  test("unary calls are forwarded with headers and trailers", async () => {
    const message = encode("CreateBookRequest", { parent: "shelves/1", book: { title: "T" } });
    const { answer, header, trailer } = await unary("/gateway.test.v1.Library/CreateBook", message);
    expect(decode("Book", answer)).toMatchObject({ title: "T", name: "shelves/1/books/new" });
    expect(header.get("x-shelf")).toEqual(["first"]);
    expect(trailer.get("x-left")).toEqual(["3"]);
  });

  test("failures have the upstream's code, message and details", async () => {
    const failed: ServiceError = await unary(
      "/gateway.test.v1.Echo/Fail",
      encode("FailRequest", { code: 5, message: "gone", reason: "WHY" }),
    ).then(
      () => Promise.reject(new Error("it did not fail")),
      (error: ServiceError) => error,
    );
    expect([failed.code, failed.details]).toEqual([status.NOT_FOUND, "gone"]);
    expect(failed.metadata.get("grpc-status-details-bin")).toHaveLength(1);
  });

  test("streams run both ways at once", async () => {
    const call = client.makeBidiStreamRequest("/gateway.test.v1.Library/Chat", asIs, asIs, new Metadata());
    for (const text of ["a", "b"]) {
      call.write(encode("ChatMessage", { text }));
      const [answer] = (await once(call, "data")) as [Buffer];
      expect(decode("ChatMessage", answer)["text"]).toBe(`echo ${text}`);
    }
    call.end();
    call.resume();
    const [{ code }] = (await once(call, "status")) as [{ code: number }];
    expect(code).toBe(status.OK);
  });

  test("deadlines and client disconnects reach the upstream", async () => {
    const wait = encode("WaitRequest", { duration: { seconds: 600n } });
    await expect(unary("/gateway.test.v1.Echo/Wait", wait, { deadline: Date.now() + 500 })).rejects.toMatchObject({
      code: status.DEADLINE_EXCEEDED,
    });
    const [calls, cancelled] = [upstream.calls(), upstream.cancelled()];
    const call = client.makeUnaryRequest("/gateway.test.v1.Echo/Wait", asIs, asIs, wait, () => undefined);
    await until(() => upstream.calls() === calls + 1);
    call.cancel();
    await until(() => upstream.cancelled() > cancelled);
  });

  test("the program reports its health, and notifies watchers", async () => {
    const health = createClient(Health, createGrpcTransport({ baseUrl: program.url, sessionManager: session }));
    await until(async () => (await health.check({})).status === Status.SERVING);
    expect(await health.check({ service: "gateway.test.v1.Library" })).toMatchObject({ status: Status.SERVING });
    await expect(health.check({ service: "none" })).rejects.toThrow(/not_found/);
    for await (const answer of health.watch({})) {
      expect(answer.status).toBe(Status.SERVING);
      break;
    }
  });

  test.each([
    ["v1", V1],
    ["v1alpha", V1Alpha],
  ])("reflection %s lists the services and has their files", async (_, service) => {
    const reflection = createClient(
      service as typeof V1,
      createGrpcTransport({ baseUrl: program.url, sessionManager: session }),
    );
    async function* questions() {
      yield { messageRequest: { case: "listServices" as const, value: "" } };
      yield { messageRequest: { case: "fileContainingSymbol" as const, value: "gateway.test.v1.Library" } };
    }
    const answers: unknown[] = [];
    for await (const { messageResponse } of reflection.serverReflectionInfo(questions())) answers.push(messageResponse);
    expect(answers).toMatchObject([
      {
        case: "listServicesResponse",
        value: { service: expect.arrayContaining([expect.objectContaining({ name: "gateway.test.v1.Library" })]) },
      },
      { case: "fileDescriptorResponse", value: { fileDescriptorProto: expect.arrayContaining([expect.anything()]) } },
    ]);
  });

  test("HTTP/1 is served on the same port, whatever its first bytes", async () => {
    expect((await rawRequest(program.url, "/v1/books/b")).status).toBe(200);
    const { hostname, port } = new URL(program.url);
    const socket = connectTcp(Number(port), hostname);
    let said = "";
    socket.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    for (const part of ["P", "R", "OPFIND / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"]) {
      await new Promise((resolve) => socket.write(part, resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await once(socket, "close");
    expect(said).toMatch(/^HTTP\/1\.1 40[45] /);
  });
});

describe("gRPC by grpc-js over TLS", () => {
  const authority = createAuthority();
  afterAll(() => authority[Symbol.dispose]());

  const startWith = (...args: string[]): Promise<Program> => {
    const { cert, key } = authority.issue("front", "IP:127.0.0.1");
    return startProgram(["--descriptor-set", testDescriptorSet, "--tls-cert", cert, "--tls-key", key, ...args]);
  };
  const open = (url: string): Client =>
    new Client(new URL(url).host, credentials.createSsl(readFileSync(authority.ca)));
  /** Sends bytes that are not Protobuf, which only reach the upstream undecoded. */
  const echo = (client: Client): Promise<string> =>
    new Promise((resolve, reject) =>
      client.makeUnaryRequest("/gateway.test.v1.Echo/EchoBody", asIs, asIs, Buffer.from("text"), (error, answer) =>
        error === null ? resolve(String(answer)) : reject(error),
      ),
    );
  /** Echo as bytes, beside the Library. */
  const upstreamOptions = {
    extend: (server: Server) =>
      server.addService(
        {
          echo: {
            ...{ path: "/gateway.test.v1.Echo/EchoBody", requestStream: false, responseStream: false },
            ...{ requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs },
          },
        },
        {
          echo: (({ request }, done) => done(null, request)) satisfies handleUnaryCall<Buffer, Buffer>,
        },
      ),
  };

  test("calls and streams are forwarded, and health and reflection are served", async () => {
    await using upstream = await startGrpcUpstream([testSpec("Library", libraryMethods())], upstreamOptions);
    await using program = await startWith("--upstream", upstream.address);
    const client = open(program.url);
    await until(() =>
      echo(client)
        .then((answer) => answer === "text")
        .catch(() => false),
    );
    const call = client.makeBidiStreamRequest("/gateway.test.v1.Library/Chat", asIs, asIs, new Metadata());
    for (const text of ["a", "b"]) {
      call.write(encode("ChatMessage", { text }));
      const [answer] = (await once(call, "data")) as [Buffer];
      expect(decode("ChatMessage", answer)["text"]).toBe(`echo ${text}`);
    }
    const cancelled = upstream.cancelled();
    call.on("error", () => undefined);
    call.cancel();
    await until(() => upstream.cancelled() > cancelled);
    const sessionManager = new Http2SessionManager(program.url, undefined, { ca: readFileSync(authority.ca) });
    const transport = createGrpcTransport({ baseUrl: program.url, sessionManager });
    await until(async () => (await createClient(Health, transport).check({})).status === Status.SERVING);
    async function* question() {
      yield { messageRequest: { case: "listServices" as const, value: "" } };
    }
    for await (const { messageResponse } of createClient(V1, transport).serverReflectionInfo(question())) {
      expect(messageResponse.case).toBe("listServicesResponse");
    }
    sessionManager.abort();
    client.close();
  });

  test("an upstream with TLS, verified by its name, and one at a Unix socket are forwarded to as well", async () => {
    const { cert, key } = authority.issue("upstream", "DNS:library.internal");
    const keys = [{ cert_chain: readFileSync(cert), private_key: readFileSync(key) }];
    await using secure = await startGrpcUpstream([], {
      ...upstreamOptions,
      credentials: ServerCredentials.createSsl(null, keys),
    });
    const path = join(authority.folder, "upstream.sock");
    const local = new Server();
    upstreamOptions.extend(local);
    await new Promise<void>((resolve, reject) => {
      local.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(error),
      );
    });
    for (const args of [
      ["--upstream", secure.address, "--upstream-ca", authority.ca, "--upstream-name", "library.internal"],
      ["--upstream", `unix:${path}`],
    ]) {
      await using program = await startWith(...args);
      const client = open(program.url);
      await until(() =>
        echo(client)
          .then((answer) => answer === "text")
          .catch(() => false),
      );
      client.close();
    }
    local.forceShutdown();
  });
});
