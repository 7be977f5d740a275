import type { Transaction } from "kysely";
import { ERASED } from "../../runtime/api/personal-fields.ts";
import type { OrderDatabase } from "../db/schema.ts";
import { endStates } from "../domain/anonymize.ts";

/** Whose orders to find: those that match any of the criteria. Empty texts match none. */
export interface CustomerQuery {
  readonly tenant: string;
  readonly customerId: string;
  /** In lower case. */
  readonly email: string;
  /** How many orders to find at the most, of each kind. */
  readonly limit: number;
}

/** Ids of a customer's orders that are not anonymized yet, the oldest first: those that have ended, and the others. */
export async function findCustomerOrders(
  trx: Transaction<OrderDatabase>,
  query: CustomerQuery,
): Promise<{ ended: string[]; underWay: string[] }> {
  const find = async (column: "customer_id" | "customer_email", value: string, ended: boolean) => {
    if (value === "") {
      return [];
    }
    const rows = await trx
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
 * Entries whose messages are fixed texts of the order service's own. All others may repeat what a person, a provider or a
 * carrier has written.
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

/** Metadata that may be in the words of a provider. */
const reasonKey = "reason";

/** Erases free text from an order's timeline; what happened, when, by whom and with which amounts stays. Idempotent. */
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
