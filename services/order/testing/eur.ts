import { toMoney } from "../../runtime/values/money.ts";

/** An amount of euros, from cents. */
export const eur = (minor: number | bigint) => toMoney({ currency: "EUR", minor: BigInt(minor) });
