import { CompiledQuery } from "kysely";
import { type AnyTransaction, tablesOf } from "../db/any-transaction.ts";
import type { AggregateKey } from "./unsent.ts";

/**
 * Reads the last sequence numbers of aggregates, in their order; 0 for one without events. One statement, which looks up
 * one index entry per aggregate, however many events it has.
 */
export async function lastSequences(trx: AnyTransaction, aggregates: readonly AggregateKey[]): Promise<number[]> {
  const parameters = aggregates.flatMap(({ tenant, aggregate }, at) => [at, tenant, aggregate]);
  const query = CompiledQuery.raw(selectText(aggregates.length), parameters);
  const { rows } = await tablesOf(trx).executeQuery<{ at: number | bigint; last: number | bigint }>(query);
  const last = new Array<number>(aggregates.length).fill(0);
  for (const row of rows) {
    last[Number(row.at)] = Number(row.last);
  }
  return last;
}

const selectTexts: string[] = [];

/** The statement for a number of aggregates; built once. */
function selectText(aggregates: number): string {
  const one = `
    select ? as at, coalesce((
      select max(sequence) from outbox_messages where tenant_id = ? and aggregate = ?
    ), 0) as last`;
  selectTexts[aggregates] ??= one + ` union all ${one}`.repeat(aggregates - 1);
  return selectTexts[aggregates];
}
