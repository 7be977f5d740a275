import type { HandlerContext } from "@connectrpc/connect";
import { type RawBuilder, type SqlBool, sql, type Transaction } from "kysely";
import { type Operator, SagaCommand } from "../../../gen/docket/admin/v1/admin_service_pb.js";
import type { Saga as SagaMessage } from "../../../gen/docket/operations/v1/operations_pb.js";
import { readPage } from "../api/read-page.ts";
import { readsFor } from "../api/reads-for.ts";
import type { AnyTransaction } from "../db/any-transaction.ts";
import type { Database } from "../db/connect.ts";
import { compileFilter, type SqlFilterField } from "../db/filter-sql.ts";
import type { CommandResult } from "../saga/commands.ts";
import type { Saga, SagaStatus } from "../saga/saga.ts";
import type { Sagas } from "../saga/saga-client.ts";
import { type OperatorCall, operatorCall } from "./operator-call.ts";
import type { RecordAct } from "./record-act.ts";
import { sagaIdOf, sagaNotFound, toSagaMessage, wrongSagaState } from "./saga-message.ts";

/** What a service demands of operators' commands beyond the saga's own status. */
export interface SagaRules<DB> {
  /**
   * Runs in the command's transaction, before it; locks what the command depends on.
   *
   * @throws ConnectError to reject the command
   */
  check(trx: Transaction<DB>, saga: Saga, command: SagaCommand): Promise<void>;
  /**
   * Compensates a saga together with what it belongs to, and calls `record` in the same transaction. False if only the
   * saga itself is to be compensated, with `check`.
   */
  compensate(saga: Saga, call: OperatorCall, record: (trx: AnyTransaction) => Promise<void>): Promise<boolean>;
}

export interface SagaAdminOptions<DB> {
  /** Name of the service. */
  readonly service: string;
  readonly db: Database<DB>;
  readonly sagas: Sagas;
  readonly rules: SagaRules<DB>;
  readonly record: RecordAct;
}

/** A page of a list, newest first. */
export interface AdminPage {
  /** Empty for all tenants. */
  readonly tenant: string;
  readonly filter: string;
  /** Only lower ids; empty from the newest on. */
  readonly beforeId: string;
  readonly limit: number;
}

/** Names a resource. With a tenant it must belong to it; empty for any tenant. */
export interface AdminTarget {
  readonly tenant: string;
  readonly name: string;
}

/** A service's sagas, for operators. Methods throw NOT_FOUND for a saga that is not there or of another tenant. */
export interface SagaAdmin {
  list(page: AdminPage, context: HandlerContext): Promise<{ sagas: SagaMessage[]; more: boolean }>;
  get(target: AdminTarget): Promise<SagaMessage>;
  /** @throws ConnectError FAILED_PRECONDITION, SAGA_STATE if the status does not allow it, or the service's own reason */
  command(target: AdminTarget, command: SagaCommand, operator: Operator, context: HandlerContext): Promise<SagaMessage>;
}

const states = {
  RUNNING: "RUNNING",
  WAITING: "WAITING",
  PAUSED: "PAUSED",
  COMPENSATING: "COMPENSATING",
  SUCCEEDED: "SUCCEEDED",
  COMPENSATED: "COMPENSATED",
  NEEDS_ATTENTION: "NEEDS_ATTENTION",
} satisfies { [Status in SagaStatus]: Status };

const filterFields: Readonly<Record<string, SqlFilterField>> = {
  state: { type: "enum", values: states, sql: sql.ref("sagas.status") },
  definition: { type: "string", sql: sql.ref("sagas.definition") },
  aggregate: { type: "string", sql: sql.ref("sagas.aggregate") },
  create_time: { type: "timestamp", sql: sql.ref("sagas.created_at") },
};

/** Why operators compensate. */
export const OPERATOR_NOTE = "Requested by an operator.";

/** Creates the administration of a service's sagas. */
export function createSagaAdmin<DB>({ service, db, sagas, rules, record }: SagaAdminOptions<DB>): SagaAdmin {
  const find = async ({ tenant, name }: AdminTarget): Promise<Saga> => {
    const saga = await sagas.get(sagaIdOf(name));
    if (saga === undefined || (tenant !== "" && saga.tenant !== tenant)) {
      throw sagaNotFound(name);
    }
    return saga;
  };
  const get = async (target: AdminTarget) => toSagaMessage(service, await find(target));

  const apply = (trx: Transaction<DB>, { id, status }: Saga, command: SagaCommand): Promise<CommandResult> => {
    switch (command) {
      case SagaCommand.PAUSE:
        return sagas.pause(trx, id);
      case SagaCommand.RESUME:
        return sagas.resume(trx, id);
      case SagaCommand.COMPENSATE:
        return sagas.compensate(trx, id, "OPERATOR", OPERATOR_NOTE);
      case SagaCommand.RETRY:
        return sagas.retry(trx, id);
      default:
        throw new RangeError(`unknown command ${command} to a saga that is ${status}`);
    }
  };

  return {
    async list({ tenant, filter, beforeId, limit }, context) {
      const where: RawBuilder<SqlBool> | undefined = compileFilter(filter, filterFields, db.dialect);
      const reads = readsFor(db, context);
      const { rows, nextPageToken } = await readPage<Saga, readonly [string]>({
        size: limit,
        query: [],
        after: beforeId === "" ? undefined : [beforeId],
        keysOf: ({ id }) => [id],
        bytesOf: ({ steps }) => 500 + JSON.stringify(steps).length,
        read: (before, most) =>
          sagas.list({
            reads,
            limit: most,
            ...(tenant !== "" && { tenant }),
            ...(before && { beforeId: before[0] }),
            ...(where !== undefined && { where }),
          }),
      });
      return { sagas: rows.map((saga) => toSagaMessage(service, saga)), more: nextPageToken !== "" };
    },

    get,

    async command(target, command, operator, context) {
      const saga = await find(target);
      // A compensated saga could be restarted, but its subject, for example an order, is over.
      if (command === SagaCommand.RETRY && saga.status !== "NEEDS_ATTENTION") {
        throw wrongSagaState(target.name, saga.status);
      }
      const call = operatorCall(context, operator, saga.tenant);
      const act = {
        resource: target.name,
        aggregate: saga.aggregate,
        tenants: new Set([saga.tenant, operator.tenant]),
      };
      const recordIn = (trx: AnyTransaction) => record(trx, call, act);
      if (command === SagaCommand.COMPENSATE && (await rules.compensate(saga, call, recordIn))) {
        return get(target);
      }
      const result = await db.transaction(async (trx) => {
        await rules.check(trx, saga, command);
        const applied = await apply(trx, saga, command);
        if (applied.ok) {
          await recordIn(trx);
        }
        return applied;
      });
      if (!result.ok) {
        throw result.reason === "NOT_FOUND" ? sagaNotFound(target.name) : wrongSagaState(target.name, result.status);
      }
      return get(target);
    },
  };
}
