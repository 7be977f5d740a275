import { once } from "node:events";
import { copyFileSync, readFileSync, renameSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { request } from "node:https";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { ServerCredentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { WebSocket } from "ws";
import { type Authority, createAuthority } from "../../test/support/certificates.ts";
import { type GrpcUpstream, startGrpcUpstream } from "../../test/support/grpc-upstream.ts";
import { rawRequest } from "../../test/support/raw-request.ts";
import { startProgram, testDescriptorSet, until } from "../../test/support/start-program.ts";
import { libraryMethods, testSpec } from "../../test/support/test-api.ts";

let authority: Authority;
let upstream: GrpcUpstream;
let client: { cert: string; key: string };

beforeAll(async () => {
  authority = createAuthority();
  client = authority.issue("client", "DNS:gateway.internal");
  const { cert, key } = authority.issue("server", "DNS:library.internal,DNS:localhost");
  const keys = [{ cert_chain: readFileSync(cert), private_key: readFileSync(key) }];
  upstream = await startGrpcUpstream([testSpec("Library", libraryMethods())], {
    credentials: ServerCredentials.createSsl(readFileSync(authority.ca), keys, true),
  });
});
afterAll(async () => {
  await upstream[Symbol.asyncDispose]();
  authority[Symbol.dispose]();
});

const start = (...args: string[]) =>
  startProgram(["--descriptor-set", testDescriptorSet, "--upstream", upstream.address, ...args]);

describe("TLS to the upstream", () => {
  const statusOf = async (...args: string[]): Promise<number> => {
    await using program = await start(...args);
    return (await rawRequest(program.url, "/v1/books/b")).status;
  };
  const clientFlags = () => ["--upstream-cert", client.cert, "--upstream-key", client.key];

  test("should trust a private authority and present the client certificate", async () => {
    expect(await statusOf("--upstream-ca", authority.ca, "--upstream-name=library.internal", ...clientFlags())).toBe(
      200,
    );
  });

  test("should verify the host name if a host is named", async () => {
    const [, port] = upstream.address.split(":");
    const flags = ["--upstream-ca", authority.ca, ...clientFlags()];
    await using program = await startProgram([
      ...["--descriptor-set", testDescriptorSet, "--upstream", `localhost:${port}`, ...flags],
    ]);
    await until(async () => (await rawRequest(program.url, "/v1/books/b")).status === 200);
  });

  test.each([
    ["without a client certificate", () => ["--upstream-ca", authority.ca, "--upstream-name=library.internal"]],
    [
      "where the authority is not trusted",
      () => ["--upstream-tls", "--upstream-name=library.internal", ...clientFlags()],
    ],
    ["where the certificate is for another name", () => ["--upstream-ca", authority.ca, ...clientFlags()]],
    ["without TLS", () => []],
  ])("should be 503 %s, without the reason", async (_, flags) => {
    await using program = await start(...flags());
    const answer = await rawRequest(program.url, "/v1/books/b");
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ message: "the upstream cannot be reached" });
  });
});

describe("TLS on the served port", () => {
  const served = () => [
    "--upstream-ca",
    authority.ca,
    "--upstream-name=library.internal",
    "--upstream-cert",
    client.cert,
    "--upstream-key",
    client.key,
  ];
  const startSecure = (files: { cert: string; key: string }) =>
    start(...served(), "--tls-cert", files.cert, "--tls-key", files.key);

  test("should speak HTTP/2 and HTTP/1.1, whichever the client chooses, and WebSockets", async () => {
    await using program = await startSecure(authority.issue("front", "IP:127.0.0.1"));
    expect(program.url).toMatch(/^https:/);
    const ca = readFileSync(authority.ca);

    const session = connectHttp2(program.url, { ca });
    const stream = session.request({ ":path": "/v1/books/b" });
    const [head] = (await once(stream, "response")) as [Record<string, unknown>];
    expect(head[":status"]).toBe(200);
    stream.resume();
    await once(stream, "close");
    session.close();

    const outgoing = request(`${program.url}/v1/books/b`, { ca, agent: false }).end();
    const [answer] = (await once(outgoing, "response")) as [
      { statusCode: number; httpVersion: string; resume(): void },
    ];
    answer.resume();
    expect([answer.statusCode, answer.httpVersion]).toEqual([200, "1.1"]);

    const socket = new WebSocket(`${program.url.replace("https", "wss")}/v1/chat/lobby`, { ca });
    const messages: string[] = [];
    socket.on("message", (data: Buffer) => messages.push(data.toString()));
    await once(socket, "open");
    socket.send('{"text":"a"}');
    socket.send("");
    await once(socket, "close");
    expect(messages.map((text) => JSON.parse(text))).toEqual([{ room: "lobby", text: "echo a" }]);
  });

  test("should accept only clients that present a certificate, if --tls-client-ca is given", async () => {
    const { cert, key } = authority.issue("mutual", "IP:127.0.0.1");
    const flags = ["--tls-cert", cert, "--tls-key", key, "--tls-client-ca", authority.ca];
    await using program = await start(...served(), ...flags);
    const get = async (options: object): Promise<unknown> => {
      const ca = readFileSync(authority.ca);
      const outgoing = request(`${program.url}/v1/books/b`, { ca, agent: false, ...options }).end();
      const [answer] = (await once(outgoing, "response")) as [{ statusCode: number; resume(): void }];
      answer.resume();
      return answer.statusCode;
    };
    const client = authority.issue("client", "DNS:client");
    expect(await get({ cert: readFileSync(client.cert), key: readFileSync(client.key) })).toBe(200);
    await expect(get({})).rejects.toThrow();
  });

  test("should present a renewed certificate to new connections", async () => {
    const files = { cert: join(authority.folder, "live.pem"), key: join(authority.folder, "live.key") };
    const use = ({ cert, key }: { cert: string; key: string }): void => {
      for (const [from, to] of [
        [cert, files.cert],
        [key, files.key],
      ] as const) {
        copyFileSync(from, `${to}.new`);
        renameSync(`${to}.new`, to);
      }
    };
    use(authority.issue("old", "IP:127.0.0.1"));
    await using program = await startSecure(files);
    const nameShown = async (): Promise<unknown> => {
      const socket = connectTls({
        port: Number(new URL(program.url).port),
        host: "127.0.0.1",
        ca: readFileSync(authority.ca),
      });
      await once(socket, "secureConnect");
      const name = socket.getPeerCertificate().subject.CN;
      socket.destroy();
      return name;
    };
    expect(await nameShown()).toBe("old");
    use(authority.issue("new", "IP:127.0.0.1"));
    await until(async () => (await nameShown()) === "new");
  });
});
