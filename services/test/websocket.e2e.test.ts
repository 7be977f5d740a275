import { once } from "node:events";
import { expect, test } from "@jest/globals";
import { WebSocket } from "ws";
import { stockTea, teaOrder } from "./support/shop.ts";
import { startDocket } from "./support/start-docket.ts";

test("orders can be watched over a WebSocket, which does not keep the program from ending", async () => {
  const docket = await startDocket();
  const { docket: shop, key } = await docket.tenant("ws");
  await stockTea(shop, 5);

  const url = `${docket.running.httpUrl.replace("http:", "ws:")}/v1/orders:watch`;
  const socket = new WebSocket(url, { headers: { authorization: `Bearer ${key}` } });
  const messages: string[] = [];
  socket.on("message", (data) => messages.push(String(data)));
  await once(socket, "open");
  // The request, and that no further one follows.
  socket.send("{}");
  socket.send("");
  await new Promise((resolve) => setTimeout(resolve, 200));
  await shop.placeOrder(teaOrder());
  while (!messages.some((text) => text.includes("OrderConfirmed"))) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(messages.some((text) => text.includes("OrderPlaced"))).toBe(true);

  await docket[Symbol.asyncDispose]();
  expect(docket.running.lifecycle.state).toBe("stopped");
  if (socket.readyState !== WebSocket.CLOSED) {
    await once(socket, "close");
  }
});
