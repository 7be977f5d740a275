import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { type ExchangeRequest, exchange } from "./exchange.ts";
import type { HttpHandler } from "./listener.ts";

const handlerOf = (serve: (request: IncomingMessage, response: ServerResponse) => unknown): HttpHandler =>
  Object.assign(((request, response) => void serve(request as never, response as never)) as HttpHandler, {
    upgrade: () => undefined,
    shouldUpgrade: () => false,
  });

const get: ExchangeRequest = {
  method: "GET",
  url: "/",
  headers: [],
  body: new Uint8Array(),
  remoteAddress: "192.0.2.1",
};

const textOf = async (body: AsyncIterable<Buffer>): Promise<string> => {
  let text = "";
  for await (const chunk of body) text += chunk.toString();
  return text;
};

test("the handler sees the request as on a port, and its response has all headers", async () => {
  const handler = handlerOf(async (request, response) => {
    response.setHeader("x-first", "1");
    response.appendHeader("set-cookie", "a=1");
    response.appendHeader("set-cookie", "b=2");
    const { method, url, headers, socket, complete, httpVersion } = request;
    const body = await textOf(request);
    response.writeHead(201, { "X-Second": "2" });
    response.end(JSON.stringify({ method, url, headers, address: socket.remoteAddress, complete, httpVersion, body }));
  });
  const given = {
    ...get,
    method: "POST",
    url: "/v1/orders?a=b",
    headers: [
      ["Content-Type", "text/plain"],
      ["X-Twice", "a"],
      ["X-Twice", "b"],
      ["Transfer-Encoding", "chunked"],
    ] as const,
    body: Buffer.from("höre"),
  };
  const response = await exchange(handler, given);
  expect(response).toMatchObject({
    status: 201,
    headers: { "x-first": "1", "x-second": "2", "set-cookie": ["a=1", "b=2"] },
  });
  expect(JSON.parse(await textOf(response.body))).toEqual({
    method: "POST",
    url: "/v1/orders?a=b",
    headers: { "content-type": "text/plain", "x-twice": "a, b", "content-length": "5" },
    address: "192.0.2.1",
    complete: true,
    httpVersion: "1.1",
    body: "höre",
  });
});

test.each([
  ["an implicit head", (response: ServerResponse) => response.end("é".repeat(100_000))],
  [
    "a head without a body first",
    (response: ServerResponse) => {
      response.writeHead(200).flushHeaders();
      response.write("é".repeat(50_000));
      setImmediate(() => response.end("é".repeat(50_000)));
    },
  ],
  [
    "a buffer",
    (response: ServerResponse) => response.writeHead(200, { "x-a": "é" }).end(Buffer.from("é".repeat(100_000))),
  ],
])("%s is kept apart from the body, byte for byte", async (_, serve) => {
  const { body } = await exchange(
    handlerOf((_request, response) => serve(response)),
    get,
  );
  expect(await textOf(body)).toBe("é".repeat(100_000));
});

test("a response without a body ends, and HEAD has none", async () => {
  const empty = await exchange(
    handlerOf((_, response) => response.writeHead(204).end()),
    get,
  );
  expect([empty.status, await textOf(empty.body)]).toEqual([204, ""]);
  const head = await exchange(
    handlerOf((_, response) => response.writeHead(200, { "content-length": "5" }).end("12345")),
    { ...get, method: "HEAD" },
  );
  expect([head.headers["content-length"], await textOf(head.body)]).toEqual(["5", ""]);
});

test("a reader that is slow holds the handler back", async () => {
  let written = 0;
  const handler = handlerOf(async (_, response) => {
    for (let nth = 0; nth < 100; nth++) {
      written += 1;
      if (!response.write("x".repeat(64 * 1024))) await new Promise((resolve) => response.once("drain", resolve));
    }
    response.end();
  });
  const { body } = await exchange(handler, get);
  await sleep(50);
  expect(written).toBeLessThan(10);
  expect((await textOf(body)).length).toBe(100 * 64 * 1024);
});

test("an abort is to the handler a client that disconnects, and is finished without one", async () => {
  const closed: boolean[] = [];
  const handler = handlerOf((_, response) => response.once("close", () => closed.push(response.writableFinished)));
  const stop = new AbortController();
  const waiting = exchange(handler, get, stop.signal);
  stop.abort(new Error("out of time"));
  await expect(waiting).rejects.toThrow("out of time");
  expect(closed).toEqual([false]);

  const done = handlerOf((_, response) => {
    response.once("close", () => closed.push(response.writableFinished));
    response.end("done");
  });
  expect(await textOf((await exchange(done, get)).body)).toBe("done");
  await sleep(5);
  expect(closed).toEqual([false, true]);
});

test("a response that is broken off is an error to its reader", async () => {
  const handler = handlerOf((_, response) => {
    response.write("a");
    setImmediate(() => response.destroy());
  });
  const { body } = await exchange(handler, get);
  await expect(textOf(body)).rejects.toThrow("broken off");
});
