import {
  AndNode,
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  Kysely,
  type KyselyPlugin,
  ParensNode,
  type QueryResult,
  RawNode,
  SelectQueryNode,
  WhereNode,
} from "kysely";
import { untilAborted } from "../../../gateway/call/abort.ts";
import type { ReadSlots } from "./read-slots.ts";
import { continueCondition } from "./sqlite/file.ts";

/** Caller and lifetime of a read. */
export interface ReadOptions {
  /** Aborts the read, which rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Position that the read must include on a replica, besides this process's own commits. See `read-position.ts`. */
  readonly after?: string;
  /** Identity that limits concurrent reads, such as a tenant's credential. */
  readonly caller: string;
}

/** Runs one SELECT, which includes what was committed up to `after`. Settles when the database has finished, soon after the signal is aborted. */
export type Read = <R>(query: CompiledQuery, signal: AbortSignal, after?: string) => Promise<QueryResult<R>>;

export interface ReadingOptions {
  /** Everything but its driver is used. */
  readonly dialect: Dialect;
  readonly read: Read;
  readonly slots: ReadSlots;
  readonly plugins: KyselyPlugin[];
}

/** Creates query builders whose SELECTs wait for a slot and are aborted by a signal. */
export function createReading<DB>(options: ReadingOptions): (read: ReadOptions) => Kysely<DB> {
  const { dialect, read, slots, plugins } = options;
  const connect = ({ caller, after, signal = new AbortController().signal }: ReadOptions): DatabaseConnection => ({
    async executeQuery<R>(query: CompiledQuery) {
      if (!SelectQueryNode.is(query.query)) {
        throw new TypeError("db.reading is for SELECTs of a query builder");
      }
      const release = await slots.take(caller, signal);
      return untilAborted(read<R>(query, signal, after).finally(release), signal);
    },
    streamQuery() {
      throw new TypeError("db.reading does not stream; read pages");
    },
  });
  return (reader) => {
    const connection = connect(reader);
    return new Kysely<DB>({
      plugins,
      dialect: {
        createDriver: () => ({ ...readOnlyDriver, acquireConnection: async () => connection }),
        createQueryCompiler: () => dialect.createQueryCompiler(),
        createAdapter: () => dialect.createAdapter(),
        createIntrospector: (db) => dialect.createIntrospector(db),
      },
    });
  };
}

const refuseTransaction = async () => {
  throw new TypeError("db.reading has no transactions");
};

const readOnlyDriver = {
  init: async () => {},
  releaseConnection: async () => {},
  beginTransaction: refuseTransaction,
  commitTransaction: refuseTransaction,
  rollbackTransaction: refuseTransaction,
  destroy: async () => {},
};

/** Prepends {@link continueCondition} to WHERE. */
export const endableSelects: KyselyPlugin = {
  transformQuery({ node }) {
    if (!SelectQueryNode.is(node) || node.from === undefined) {
      return node;
    }
    const first = RawNode.createWithSql(continueCondition);
    const where = node.where ? AndNode.create(first, ParensNode.create(node.where.where)) : first;
    return { ...node, where: WhereNode.create(where) };
  },
  transformResult: async ({ result }) => result,
};
