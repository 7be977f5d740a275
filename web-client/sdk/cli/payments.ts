import { type Command, InvalidArgumentError } from "commander";
import { type Payment, Payment_State, PaymentSchema, Refund_State } from "../../../gen/docket/payment/v1/payment_pb.js";
import type { Money } from "../../../gen/google/type/money_pb.js";
import type { Docket } from "../docket.ts";
import { money } from "../money.ts";
import { contextOf, parseCount, type Surroundings } from "./context.ts";
import { findOrder, parentOf } from "./find-order.ts";
import { moneyText } from "./order-text.ts";
import type { Columns } from "./output.ts";
import { factsText, take, timeText } from "./text.ts";

const columns: Columns<Payment> = {
  NAME: (payment) => payment.name,
  STATE: (payment) => Payment_State[payment.state] ?? String(payment.state),
  AMOUNT: (payment) => moneyText(payment.amount),
  CAPTURED: (payment) => moneyText(payment.capturedAmount),
  REFUNDED: (payment) => moneyText(payment.refundedAmount),
  PROVIDER: (payment) => payment.provider,
  CREATED: (payment) => timeText(payment.createTime),
};

const paymentText = (payment: Payment) =>
  [
    factsText(columns, payment),
    ...payment.refunds.map(
      ({ id, amount, state, reason }) => `refund ${id}  ${moneyText(amount)}  ${Refund_State[state]}  ${reason}`,
    ),
    ...[payment.failureMessage, payment.mismatchMessage].filter((message) => message !== ""),
  ].join("\n");

const paymentArgument = "its name (orders/…/payments/…), or an order: its newest payment";

interface ActOptions {
  readonly amount?: string;
  readonly reason?: string;
  readonly requestId?: string;
}

/** `docket payments …` */
export function addPaymentCommands(program: Command, surroundings: Surroundings): void {
  const payments = program.command("payments").description("list, show, capture, void and refund payments");

  payments
    .command("list")
    .description("list payments, the newest first")
    .argument("[order]", "only those of this order: its name, its id, or your own order number")
    .option("-f, --filter <filter>", "which payments, for example: state = CAPTURED")
    .option("-n, --limit <count>", "how many at the most", parseCount, 50)
    .action(async (order: string | undefined, options: { filter?: string; limit: number }, command: Command) => {
      const { docket, output } = contextOf(command, surroundings);
      const { filter = "", limit } = options;
      const parent = await parentOf(docket, order);
      const found = docket.listPayments({ parent, filter, pageSize: Math.min(limit, 1000) });
      await output.rows(PaymentSchema, take(found, limit), columns);
    });

  const add = (
    verb: string,
    description: string,
    act: (docket: Docket, payment: Payment, options: ActOptions) => Promise<Payment>,
  ) =>
    payments
      .command(verb)
      .description(description)
      .argument("<payment>", paymentArgument)
      .action(async (name: string, options: ActOptions, command: Command) => {
        const { docket, output } = contextOf(command, surroundings);
        const payment = await act(docket, await findPayment(docket, name), options);
        output.one(PaymentSchema, payment, paymentText(payment));
      });

  add("get", "show a payment with its refunds", async (_docket, payment) => payment);
  add("capture", "take authorized money", (docket, payment, options) =>
    docket.payments.capturePayment({ name: payment.name, ...amountOf(payment, options), ...keyOf(options) }),
  )
    .option("-a, --amount <amount>", "how much, in the payment's currency, for example 4.50; default: all of it")
    .option("--request-id <id>", "makes repeating the command safe");
  add("void", "give a payment up that was not captured", (docket, payment, options) =>
    docket.payments.voidPayment({ name: payment.name, ...keyOf(options) }),
  ).option("--request-id <id>", "makes repeating the command safe");
  add("refund", "give captured money back", (docket, payment, options) =>
    docket.payments.refundPayment({
      name: payment.name,
      reason: options.reason ?? "",
      ...amountOf(payment, options),
      ...keyOf(options),
    }),
  )
    .option("-a, --amount <amount>", "how much, in the payment's currency, for example 4.50; default: all of it")
    .option("-r, --reason <text>", "why, for the customer and the books")
    .option("--request-id <id>", "makes repeating the command safe");
}

async function findPayment(docket: Docket, name: string): Promise<Payment> {
  if (name.includes("/payments/")) {
    return docket.payments.getPayment({ name });
  }
  const order = await findOrder(docket, name);
  for await (const payment of docket.listPayments({ parent: order.name, pageSize: 1 })) {
    return payment;
  }
  throw new Error(`${order.name} has no payment`);
}

function amountOf({ amount: whole }: Payment, { amount }: ActOptions): { amount?: Money } {
  if (amount === undefined) {
    return {};
  }
  try {
    return { amount: money(whole?.currencyCode ?? "", amount) };
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function keyOf({ requestId }: ActOptions): { requestId?: string } {
  return requestId === undefined ? {} : { requestId };
}
