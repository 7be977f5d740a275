import type { Kysely, Transaction } from "kysely";
import { ERASED } from "../../runtime/api/personal-fields.ts";
import type { OrderDatabase } from "../db/schema.ts";
import { endStates } from "../domain/anonymize.ts";

/** Selects a customer's orders: those that match any of the criteria. Empty strings match none. */
export interface CustomerQuery {
  readonly tenant: string;
  readonly customerId: string;
  /** In lower case. */
  readonly email: string;
  /** Maximum number of orders to return, of each kind. */
  readonly limit: number;
}

/** Ids of a customer's orders that are not anonymized yet, the oldest first: ended orders, and the others. */
export async function findCustomerOrders(
  db: Kysely<OrderDatabase>,
  query: CustomerQuery,
): Promise<{ ended: string[]; underWay: string[] }> {
  const find = async (column: "customer_id" | "customer_email", value: string, ended: boolean) => {
    if (value === "") {
      return [];
    }
    const rows = await db
      .selectFrom("orders")
      .select("id")
      .where("tenant_id", "=", query.tenant)
      .where(column, "=", value)
      .where("anonymized_at", "is", null)
      .where((row) => {
        const isEnded = row.and([
          row("state", "in", [...endStates]),
          row("late_saga_id", "is", null),
          row("lines_saga_id", "is", null),
        ]);
        return ended ? isEnded : row.not(isEnded);
      })
      .orderBy("id")
      .limit(query.limit)
      .execute();
    return rows.map(({ id }) => id);
  };
  const both = async (ended: boolean) => [
    ...new Set([
      ...(await find("customer_id", query.customerId, ended)),
      ...(await find("customer_email", query.email, ended)),
    ]),
  ];
  return { ended: (await both(true)).sort(), underWay: (await both(false)).sort() };
}

/**
 * Entry types whose messages are fixed texts of the order service. All others may contain text from a person, a
 * provider or a carrier.
 */
const fixedMessages = [
  "OrderPlaced",
  "OrderUpdated",
  "OrderAnonymized",
  "PersonalDataErased",
  "StockReserved",
  "StockReservationExpired",
  "PaymentOpened",
  "PaymentTimedOut",
  "OrderConfirmed",
  "OrderFulfilling",
  "OrderUnshipped",
  "OrderCompleted",
  "OrderCancelled",
  "OrderExpired",
  "ShipmentCreated",
  "ShipmentCollected",
  "ShipmentStateChanged",
  "ShipmentDelivered",
  "ShipmentCancelled",
  "ShipmentClosed",
  "LinesGivenBack",
  "LatePaymentArrived",
  "LatePaymentReturned",
];

/** Metadata that may contain a provider's text. */
const reasonKey = "reason";

/** Erases free text from an order's timeline; types, times, actors and amounts remain. Idempotent. */
export async function eraseTimeline(trx: Transaction<OrderDatabase>, tenant: string, orderId: string): Promise<void> {
  const entries = await trx
    .selectFrom("order_events")
    .select(["sequence", "type", "message", "metadata"])
    .where("tenant_id", "=", tenant)
    .where("order_id", "=", orderId)
    .execute();
  for (const { sequence, type, message, metadata } of entries) {
    const erased = {
      message: message === "" || fixedMessages.includes(type) ? message : ERASED,
      metadata: metadata === null ? null : withoutReason(metadata),
    };
    if (erased.message !== message || erased.metadata !== metadata) {
      await trx
        .updateTable("order_events")
        .set(erased)
        .where("tenant_id", "=", tenant)
        .where("order_id", "=", orderId)
        .where("sequence", "=", sequence)
        .execute();
    }
  }
}

function withoutReason(metadata: string): string {
  const facts = JSON.parse(metadata) as Record<string, string>;
  const reason = facts[reasonKey];
  return reason === undefined || /^[A-Z_]*$/.test(reason)
    ? metadata
    : JSON.stringify({ ...facts, [reasonKey]: ERASED });
}
