import { copyFileSync, readFileSync } from "node:fs";
import { type RequestOptions, request } from "node:https";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type Authority, createAuthority } from "../../gateway/test/support/certificates.ts";
import { until } from "../runtime/testing/until.ts";
import { startDocket, type TestDocket } from "./support/start-docket.ts";

describe("with a certificate", () => {
  let authority: Authority;
  let docket: TestDocket;
  let ca: Buffer;
  let certFile: string;
  let keyFile: string;
  let client: { cert: Buffer; key: Buffer };

  beforeAll(async () => {
    authority = createAuthority();
    ca = readFileSync(authority.ca);
    const server = authority.issue("docket", "IP:127.0.0.1");
    const caller = authority.issue("caller", "DNS:caller");
    client = { cert: readFileSync(caller.cert), key: readFileSync(caller.key) };
    certFile = join(authority.folder, "tls.crt");
    keyFile = join(authority.folder, "tls.key");
    copyFileSync(server.cert, certFile);
    copyFileSync(server.key, keyFile);
    docket = await startDocket({
      DOCKET_TLS_CERT_FILE: certFile,
      DOCKET_TLS_KEY_FILE: keyFile,
      DOCKET_TLS_CLIENT_CA_FILE: authority.ca,
    });
  });
  afterAll(async () => {
    await docket?.[Symbol.asyncDispose]();
    authority[Symbol.dispose]();
  });

  const get = (options: RequestOptions): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${docket.running.adminKey}` };
      request(`${docket.running.httpUrl}/v1/orders`, { ca, headers, agent: false, ...options }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on("error", reject)
        .end();
    });

  /** The code of a health check over gRPC. */
  const check = (pair?: { cert: Buffer; key: Buffer }): Promise<number> =>
    new Promise((resolve) => {
      const secured = credentials.createSsl(ca, pair?.key, pair?.cert);
      const grpc = new Client(docket.running.grpcAddress, secured);
      const asIs = (bytes: Buffer) => bytes;
      const deadline = { deadline: Date.now() + 20_000 };
      grpc.makeUnaryRequest(
        "/grpc.health.v1.Health/Check",
        asIs,
        asIs,
        Buffer.alloc(0),
        deadline,
        (error: ServiceError | null) => {
          grpc.close();
          resolve(error?.code ?? 0);
        },
      );
    });

  test("both ports speak TLS, to clients that present a certificate of the authority", async () => {
    expect(docket.running.httpUrl).toMatch(/^https:/);
    expect(await get(client)).toBe(200);
    await expect(get({})).rejects.toThrow();
    expect(await check(client)).toBe(0);
    expect(await check()).toBe(14);
  });

  test("both ports take a renewed certificate without a restart", async () => {
    const serialAt = (port: number): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connectTls({ port, host: "127.0.0.1", ca, ...client, ALPNProtocols: ["h2"] }, () => {
          resolve(socket.getPeerCertificate().serialNumber);
          socket.destroy();
        });
        socket.on("error", reject);
      });
    const ports = [new URL(docket.running.httpUrl).port, docket.running.grpcAddress.split(":").at(-1)].map(Number);
    const before = await Promise.all(ports.map(serialAt));
    expect(new Set(before).size).toBe(1);
    const renewed = authority.issue("renewed", "IP:127.0.0.1");
    copyFileSync(renewed.cert, certFile);
    copyFileSync(renewed.key, keyFile);
    await until(async () => (await Promise.all(ports.map(serialAt))).every((serial) => serial !== before[0]));
    expect(await get(client)).toBe(200);
  });
});

test("files that are no certificate are named when Docket starts", async () => {
  const environment = { DOCKET_TLS_CERT_FILE: "package.json", DOCKET_TLS_KEY_FILE: "package.json" };
  await expect(startDocket(environment)).rejects.toThrow(
    "DOCKET_TLS_CERT_FILE package.json: it is not a PEM certificate",
  );
  await expect(startDocket({ DOCKET_TLS_KEY_FILE: "x" })).rejects.toThrow(
    "DOCKET_TLS_CERT_FILE and DOCKET_TLS_KEY_FILE go together",
  );
});
