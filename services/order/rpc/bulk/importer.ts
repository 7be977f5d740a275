import { setImmediate } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import type { HandlerContext } from "@connectrpc/connect";
import { OrderSchema } from "../../../../gen/docket/order/v1/order_pb.js";
import { type ImportFailure, ImportFailureSchema } from "../../../../gen/docket/order/v1/order_service_pb.js";
import { principalOf } from "../../../runtime/context-values.ts";
import { reasonOf } from "../../../runtime/errors.ts";
import { ruleText } from "../../../runtime/interceptors/rule-words.ts";
import { textViolations } from "../../../runtime/interceptors/text-check.ts";
import type { OrderContext } from "../../context.ts";
import type { Violation } from "../../domain/pricing.ts";
import { findOrdersByExternalId } from "../../store/orders.ts";
import { auditForbiddenPrices } from "../placement/forbidden-prices.ts";
import { newPlacement, type Placement } from "../placement/new-placement.ts";
import { type OrderDraft, readDraft } from "../placement/order-draft.ts";
import { placeOrders } from "../placement/place-orders.ts";
import { priceDrafts } from "../placement/price-drafts.ts";
import { type ImportRecord, isFailure } from "./import-record.ts";

const MAX_FAILURES = 1000;
const NOT_TOGETHER = "occurs earlier in the file: rows of one order must follow each other";

/** Imports orders of a file batch by batch, and counts them. */
export interface Importer {
  take(records: readonly ImportRecord[]): Promise<void>;
  result(): {
    rowCount: bigint;
    createdCount: bigint;
    existingCount: bigint;
    failedCount: bigint;
    failures: ImportFailure[];
  };
  /** The last imported line of the file; later rows were not processed. */
  lastLine(): number;
}

/** An order of the file that is valid so far. */
interface Candidate {
  readonly record: ImportRecord;
  readonly draft: OrderDraft;
}

type Placeable = Candidate & { readonly placement: Placement };

/** An import for the caller of this RPC. Each batch makes one call to the inventory service and one command. */
export function createImporter(
  ctx: OrderContext,
  call: HandlerContext,
  { validateOnly }: { readonly validateOnly: boolean },
): Importer {
  const { tenant } = principalOf(call);
  const validator = createValidator();
  /** The external_ids of the file so far. */
  const seen = new Set<string>();
  const count = { rows: 0, created: 0, existing: 0, failed: 0 };
  const failures: ImportFailure[] = [];
  let lastLine = 0;
  /** One entry of the audit trail an import. */
  let isOverrideAudited = false;

  const fail = (record: ImportRecord, { field, description }: Violation) => {
    count.failed += 1;
    if (failures.length < MAX_FAILURES) {
      const { lineNumber, field: column } = record.locate(field);
      const { externalId } = record;
      const at = { lineNumber: BigInt(lineNumber), field: column };
      failures.push(create(ImportFailureSchema, { ...at, message: description, externalId }));
    }
  };

  const read = (record: ImportRecord): Candidate[] => {
    if (isFailure(record.order)) {
      const { lineNumber, field, message } = record.order;
      fail({ ...record, locate: () => ({ lineNumber, field }) }, { field, description: message });
      return [];
    }
    const checked = validator.validate(OrderSchema, record.order);
    const rule = checked.kind === "invalid" ? checked.violations[0] : undefined;
    const { draft, violations } = readDraft(record.order, ctx.config);
    const [text] = textViolations(OrderSchema, record.order, { singleLines: true });
    const violation =
      text ?? (rule === undefined ? violations[0] : { field: pathToString(rule.field), description: ruleText(rule) });
    if (violation !== undefined) {
      fail(record, violation);
      return [];
    }
    return [{ record, draft }];
  };

  /** Returns the orders whose external_id occurs in the file for the first time; fails the others. */
  const withoutRepeated = (records: readonly ImportRecord[]): ImportRecord[] =>
    records.filter((record) => {
      const { externalId } = record;
      if (externalId !== "" && seen.has(externalId)) {
        fail(record, { field: "external_id", description: NOT_TOGETHER });
        return false;
      }
      seen.add(externalId);
      return true;
    });

  /** Returns the orders that are not stored yet, by this import or another caller; counts the others. */
  const withoutExisting = async (candidates: readonly Candidate[]): Promise<Candidate[]> => {
    const ids = candidates.flatMap(({ draft }) => draft.externalId || []);
    const stored = ids.length === 0 ? [] : await findOrdersByExternalId(ctx.db.kysely, tenant, ids);
    const existing = new Set(stored.map(({ externalId }) => externalId));
    const fresh = candidates.filter(({ draft }) => !existing.has(draft.externalId));
    count.existing += candidates.length - fresh.length;
    return fresh;
  };

  const price = async (candidates: readonly Candidate[]): Promise<Placeable[]> => {
    const drafts = candidates.map(({ draft }) => draft);
    const pricings = drafts.length === 0 ? [] : await priceDrafts(ctx, drafts, call);
    if (!isOverrideAudited) {
      const violations = pricings.flatMap((pricing) => (pricing.ok ? [] : pricing.violations));
      isOverrideAudited = auditForbiddenPrices(call, violations);
    }
    return candidates.flatMap((candidate, i) => {
      const pricing = pricings[i];
      if (!pricing?.ok) {
        fail(candidate.record, pricing?.violations[0] ?? { field: "", description: "could not be priced" });
        return [];
      }
      const { draft } = candidate;
      return [{ ...candidate, placement: newPlacement(ctx, call, { ...pricing, draft }) }];
    });
  };

  /** Places all orders or none; returns false if another caller took an external_id meanwhile. */
  const tryPlace = async (orders: readonly Placeable[]): Promise<boolean> => {
    const placements = orders.map(({ placement }) => placement);
    try {
      await ctx.commands.execute(placeOrders(ctx, placements), { tenant });
      return true;
    } catch (error) {
      if (reasonOf(error) === "EXTERNAL_ID_TAKEN") {
        return false;
      }
      throw error;
    }
  };

  /** Falls back to placing each order separately, as commands of one batch, if an external_id was taken. */
  const place = async (orders: readonly Placeable[]): Promise<void> => {
    if (orders.length === 0) {
      return;
    }
    if (await tryPlace(orders)) {
      count.created += orders.length;
      return;
    }
    const outcomes = await Promise.allSettled(orders.map((order) => tryPlace([order])));
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") {
        throw outcome.reason;
      }
      count[outcome.value ? "created" : "existing"] += 1;
    }
  };

  return {
    async take(records) {
      // Rows that fail immediately await nothing, and a file may be full of them: yield to the event loop.
      await setImmediate();
      call.signal.throwIfAborted();
      count.rows += records.reduce((sum, { rows }) => sum + rows, 0);
      const priced = await price(await withoutExisting(withoutRepeated(records).flatMap(read)));
      if (validateOnly) {
        count.created += priced.length;
      } else {
        await place(priced);
      }
      lastLine = records.at(-1)?.lastLine ?? lastLine;
    },
    lastLine: () => lastLine,
    result: () => ({
      rowCount: BigInt(count.rows),
      createdCount: BigInt(count.created),
      existingCount: BigInt(count.existing),
      failedCount: BigInt(count.failed),
      failures,
    }),
  };
}
