import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import {
  type AnonymizeCustomerResponse,
  AnonymizeCustomerResponseSchema,
  SkippedOrder_Reason,
} from "../../../gen/docket/order/v1/customer_service_pb.js";
import { Order_State } from "../../../gen/docket/order/v1/order_pb.js";
import { contextOf, type Surroundings } from "./context.ts";

interface AnonymizeOptions {
  readonly id?: string;
  readonly email?: string;
  readonly dryRun?: boolean;
}

/** How long each request waits for the erasure to complete. */
const WAIT_MS = 20_000;

/** `docket customers …` */
export function addCustomerCommands(program: Command, surroundings: Surroundings): void {
  const customers = program.command("customers").description("fulfil requests of customers about their data");

  customers
    .command("anonymize")
    .description("erase the personal data of a customer's ended orders, everywhere; there is no way back")
    .argument("[orders...]", "names of orders, orders/…")
    .option("--id <id>", "all orders with this customer.id")
    .option("--email <email>", "all orders with this e-mail address")
    .option("--dry-run", "only show which orders would be anonymized")
    .action(async (orders: string[], { id = "", email = "", dryRun = false }: AnonymizeOptions, command: Command) => {
      const { docket, output } = contextOf(command, surroundings);
      const selection = { customerId: id, email, validateOnly: dryRun, wait: durationFromMs(WAIT_MS) };
      for (let names = orders; ; names = []) {
        const response = await docket.customers.anonymizeCustomer({ ...selection, orders: names });
        output.one(AnonymizeCustomerResponseSchema, response, describe(response, dryRun));
        if (!response.hasMore || dryRun || (id === "" && email === "")) {
          return;
        }
      }
    });
}

function describe({ anonymizedOrders, skippedOrders, hasMore }: AnonymizeCustomerResponse, dryRun: boolean): string {
  return [
    ...anonymizedOrders.map(({ order, saga, done }) =>
      dryRun ? `${order} would be anonymized` : `${order} is anonymized${done ? "" : `; ${saga} is still erasing`}`,
    ),
    ...skippedOrders.map(({ order, reason, state }) =>
      reason === SkippedOrder_Reason.NOT_FOUND
        ? `${order} does not exist`
        : `${order} is skipped: it has not ended (${Order_State[state]})`,
    ),
    ...(anonymizedOrders.length + skippedOrders.length === 0 ? ["no order matches"] : []),
    ...(hasMore && dryRun ? ["more orders match"] : []),
  ].join("\n");
}
