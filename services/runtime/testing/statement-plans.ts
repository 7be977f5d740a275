import { CompiledQuery } from "kysely";
import type { Database } from "../db/connect.ts";
import type { OnStatement } from "../db/statement.ts";
import { planOf } from "./query-plan.ts";

/** Remembers the statements that a test runs, one of each text. */
export interface StatementRecorder {
  /** To be given to the database when it is opened. */
  readonly onStatement: OnStatement;
  /** Forgets what it has seen: the statements of a test's preparations. */
  clear(): void;
  /** The statements that read every row of one of these tables, whatever its size. */
  wholeTableReads<DB>(db: Database<DB>, tables: readonly string[]): Promise<readonly string[]>;
}

export function createStatementRecorder(): StatementRecorder {
  const seen = new Map<string, readonly unknown[]>();
  return {
    onStatement({ sql, parameters }) {
      if (/^\s*(select|update|delete|insert\b.*\bselect)\b/is.test(sql)) {
        seen.set(sql, parameters);
      }
    },
    clear: () => seen.clear(),
    async wholeTableReads(db, tables) {
      const found: string[] = [];
      for (const [sql, parameters] of [...seen]) {
        const { fullScans } = await planOf(db, { compile: () => CompiledQuery.raw(sql, [...parameters]) });
        found.push(...fullScans.filter((table) => tables.includes(table)).map((table) => `${table}: ${sql}`));
      }
      return found;
    },
  };
}
