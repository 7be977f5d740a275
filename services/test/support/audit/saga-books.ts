import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Saga, Saga_State } from "../../../../gen/docket/operations/v1/operations_pb.js";
import { type Order, Order_State } from "../../../../gen/docket/order/v1/order_pb.js";
import type { Docket } from "../../../../web-client/sdk/docket.ts";
import { paged } from "../../../../web-client/sdk/pages.ts";

/** Tolerated delay of a saga on a busy machine. */
const SLACK_MS = 2_000;

/** Checks that every saga has ended, or waits for a reason visible in its order. */
export async function auditSagas(docket: Docket, orders: readonly Order[]): Promise<string[]> {
  const sagas = await Array.fromAsync(
    paged(
      (pageToken) => docket.sagas.listSagas({ pageSize: 1000, pageToken }),
      (page) => page.sagas,
    ),
  );
  const byName = new Map(orders.map((order) => [order.name, order]));
  return sagas
    .filter((saga) => !rests(saga, byName.get(saga.aggregate)))
    .map((saga) => {
      const steps = saga.steps.map(({ step, lastError }) => (lastError ? `${step}: ${lastError}` : step)).join(" | ");
      const state = byName.get(saga.aggregate)?.state ?? 0;
      return `${saga.definition} of ${saga.aggregate} (${Order_State[state]}) is ${Saga_State[saga.state]}: ${steps}`;
    });
}

function rests(saga: Saga, order: Order | undefined): boolean {
  switch (saga.state) {
    case Saga_State.SUCCEEDED:
    case Saga_State.COMPENSATED:
      return true;
    case Saga_State.WAITING: {
      const due = saga.nextRunTime === undefined ? 0 : timestampMs(saga.nextRunTime);
      return order?.state === Order_State.AWAITING_PAYMENT && due > Date.now() - SLACK_MS;
    }
    case Saga_State.PAUSED:
      return order?.state === Order_State.ON_HOLD;
    case Saga_State.NEEDS_ATTENTION:
      return order?.state === Order_State.NEEDS_ATTENTION;
    default:
      return false;
  }
}
