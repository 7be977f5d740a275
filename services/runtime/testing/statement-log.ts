import type { OnStatement, Statement } from "../db/statement.ts";

/** The statements that a database was sent, for tests that count them. */
export interface StatementLog {
  /** To be given to `openDatabase`. */
  readonly onStatement: OnStatement;
  readonly statements: readonly Statement[];
  /** How many were sent whose text matches; all of them without a pattern. `begin` and `commit` count like any other. */
  count(pattern?: RegExp): number;
  /** Forgets what was sent up to now. */
  clear(): void;
}

/**
 * ```ts
 * const log = createStatementLog();
 * await using db = await open<OrderDatabase>({ onStatement: log.onStatement });
 * log.clear();
 * await createOrder();
 * expect(log.count()).toBeLessThanOrEqual(12);
 * expect(log.count(/^commit$/)).toBe(1);
 * ```
 */
export function createStatementLog(): StatementLog {
  const statements: Statement[] = [];
  return {
    onStatement: (statement) => statements.push(statement),
    statements,
    count: (pattern) => statements.filter(({ sql }) => pattern?.test(sql) ?? true).length,
    clear() {
      statements.length = 0;
    },
  };
}
