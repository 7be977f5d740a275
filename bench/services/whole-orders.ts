import { Order_State } from "../../gen/docket/order/v1/order_pb.js";
import { createDocket } from "../../web-client/sdk/docket.ts";
import { createHttpClient } from "../support/http-client.ts";
import { type BenchDocket, type Storage, startDocket } from "./docket.ts";
import { anOrder, openShop } from "./shop.ts";

/** A Docket that takes whole orders. */
export interface WholeOrders {
  readonly docket: BenchDocket;
  /** Places the nth order and resolves when it is completed. */
  placeWhole(nth: number): Promise<void>;
  close(): Promise<void>;
}

/** Starts a Docket with a shop, whose sandboxes answer after 1 ms. Completion is observed through a watch of changes. */
export async function openWholeOrders(
  storage: Storage,
  environment: Record<string, string> = {},
): Promise<WholeOrders> {
  const docket = await startDocket(storage, {
    DOCKET_SANDBOX_DELAY: "1ms",
    DOCKET_SANDBOX_CARRIER_STEP: "1ms",
    ...environment,
  });
  const http = createHttpClient(docket.httpUrl, docket.adminKey);
  await openShop(http);
  const waiting = new Map<string, () => void>();
  const completed = new Set<string>();
  const leaving = new AbortController();
  const sdk = createDocket({ baseUrl: docket.httpUrl, apiKey: docket.adminKey });
  const watching = (async () => {
    const changes = sdk.watchOrders({ filter: "state = COMPLETED" }, { signal: leaving.signal });
    for await (const { order } of changes) {
      if (order?.state === Order_State.COMPLETED && !completed.has(order.name)) {
        completed.add(order.name);
        waiting.get(order.name)?.();
      }
    }
  })();
  return {
    docket,
    async placeWhole(nth) {
      const answer = await http("POST", "/v1/orders", JSON.stringify(anOrder(nth, { paymentToken: "tok_success" })));
      const { name } = JSON.parse(answer.toString()) as { name: string };
      if (!completed.has(name)) {
        await new Promise<void>((resolve) => waiting.set(name, resolve));
        waiting.delete(name);
      }
    },
    async close() {
      leaving.abort();
      await watching;
      http[Symbol.dispose]();
      await docket[Symbol.asyncDispose]();
    },
  };
}
