import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { createHttpApi, type HttpApi, type HttpApiOptions } from "./http-api.ts";

type Answer = (response: ServerResponse, request: IncomingMessage, nth: number) => void;

describe("a client of an HTTP API", () => {
  let answer: Answer;
  let seen: { method: string; url: string; headers: IncomingMessage["headers"]; body: string }[];
  let sockets: Set<Socket>;
  let api: HttpApi;
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) {
      body += chunk;
    }
    const { method = "", url = "", headers } = request;
    seen.push({ method, url, headers, body });
    sockets.add(request.socket);
    answer(response, request, seen.length);
  });
  const open = (options: Partial<HttpApiOptions> = {}) => {
    const { port } = server.address() as AddressInfo;
    const retry = { initialMs: 1, maxMs: 1 };
    api = createHttpApi({
      baseUrl: `http://127.0.0.1:${port}/base/`,
      retry,
      headers: { authorization: "k" },
      ...options,
    });
    return api;
  };
  const request = { method: "POST", path: "/things", body: '{"a":"ü"}' } as const;
  const never = new AbortController().signal;

  beforeEach(async () => {
    seen = [];
    sockets = new Set();
    answer = (response) => response.end('{"ok":true}');
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterEach(async () => {
    api[Symbol.dispose]();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  test("sends JSON with its headers to a path under the base, and keeps the connection", async () => {
    open();
    for (let i = 0; i < 3; i++) {
      expect(await api.send(request, never)).toEqual({ status: 200, body: '{"ok":true}' });
    }
    expect(await api.send({ method: "GET", path: "/things/1" }, never)).toMatchObject({ status: 200 });
    expect(seen[0]).toMatchObject({
      method: "POST",
      url: "/base/things",
      body: '{"a":"ü"}',
      headers: { authorization: "k", "content-type": "application/json" },
    });
    expect(seen[3]).toMatchObject({ method: "GET", url: "/base/things/1", body: "" });
    expect(sockets.size).toBe(1);
  });

  test.each([408, 429, 500, 503])("repeats a request that gets the status %d", async (status) => {
    answer = (response, _, nth) => response.writeHead(nth < 3 ? status : 200).end();
    expect(await open().send(request, never)).toMatchObject({ status: 200 });
    expect(seen.map(({ body }) => body)).toEqual(Array(3).fill(request.body));
  });

  test("repeats a request whose connection breaks", async () => {
    answer = (response, incoming, nth) => (nth < 3 ? incoming.socket.destroy() : response.end());
    expect(await open().send(request, never)).toMatchObject({ status: 200 });
  });

  test("repeats a request that gets no response in time", async () => {
    answer = (response, _, nth) => nth > 1 && response.end();
    expect(await open({ timeoutMs: 50 }).send(request, never)).toMatchObject({ status: 200 });
    expect(seen).toHaveLength(2);
  });

  test.each([302, 400, 401, 404, 409])("resolves with the status %d at once", async (status) => {
    answer = (response) => response.writeHead(status, { location: "/elsewhere" }).end("why");
    expect(await open().send(request, never)).toEqual({ status, body: "why" });
    expect(seen).toHaveLength(1);
  });

  test("rejects when the last attempt has failed", async () => {
    answer = (response) => response.writeHead(503).end();
    await expect(open().send(request, never)).rejects.toThrow("POST /things: status 503");
    expect(seen).toHaveLength(3);
  });

  test("rejects a response that is too long", async () => {
    answer = (response) => response.end("x".repeat(1024 * 1024 + 1));
    await expect(open({ maxAttempts: 1 }).send(request, never)).rejects.toThrow("longer than 1048576 bytes");
  });

  test("ends with the caller's signal, during an attempt and between two", async () => {
    answer = () => {};
    await expect(open().send(request, AbortSignal.timeout(50))).rejects.toMatchObject({ name: "TimeoutError" });
    answer = (response) => response.writeHead(503).end();
    const slow = open({ retry: { initialMs: 60_000, maxMs: 60_000 }, random: () => 1 });
    await expect(slow.send(request, AbortSignal.timeout(50))).rejects.toThrow();
    expect(seen).toHaveLength(2);
  });

  test("opens no more connections than allowed", async () => {
    open({ maxConnections: 2 });
    await Promise.all(Array.from({ length: 10 }, () => api.send(request, never)));
    expect(seen).toHaveLength(10);
    expect(sockets.size).toBe(2);
  });
});
