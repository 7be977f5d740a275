import type { Money } from "../../../../gen/google/type/money_pb.js";
import { invalidArgument } from "../../../runtime/errors.ts";
import { parseMoney } from "../../../runtime/values/money.ts";
import type { Payment } from "../../domain/payment.ts";

/** Minor units of an amount of a payment; undefined if the request has none. */
export function parseAmount(money: Money | undefined, { currency }: Payment): bigint | undefined {
  if (money === undefined) {
    return undefined;
  }
  const amount = parseMoney(money);
  if (amount === undefined || amount.minor <= 0n) {
    throw invalidArgument([
      {
        field: "amount",
        description: "must be more than 0 in an ISO 4217 currency, with no more decimals than the currency has",
      },
    ]);
  }
  if (amount.currency !== currency) {
    throw invalidArgument([{ field: "amount.currency_code", description: `must be ${currency}, as the payment is` }]);
  }
  return amount.minor;
}
