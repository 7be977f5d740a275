import { type CompiledQuery, type DatabaseConnection, type QueryResult, SelectQueryNode } from "kysely";
import type { FieldPacket, PoolConnection } from "mysql2";
import { databaseErrorKind } from "../errors.ts";
import { type OnStatement, toBindValue } from "../statement.ts";

/** A pooled connection used by Kysely. */
export interface MysqlConnection extends DatabaseConnection {
  raw: PoolConnection;
  /** Whether the session's state is uncertain; such a connection is closed instead of returned to the pool. */
  broken: boolean;
}

/** The type of a BIGINT column in the protocol: https://mariadb.com/kb/en/result-set-packets/#field-types */
const LONGLONG = 8;

/** Runs statements on a pooled connection. */
export function createMysqlConnection(
  raw: PoolConnection,
  onStatement: OnStatement | undefined,
  statementTimeoutMs: number,
): MysqlConnection {
  // Only MariaDB executes the comment. MySQL uses the session variable `max_execution_time` instead.
  const limited = `/*M! set statement max_statement_time = ${statementTimeoutMs / 1000} for */ `;
  const toSend = ({ sql, query }: CompiledQuery) => (SelectQueryNode.is(query) ? limited + sql : sql);
  return {
    raw,
    broken: false,
    executeQuery<R>(compiled: CompiledQuery): Promise<QueryResult<R>> {
      return execute<R>(this, compiled.sql, compiled.parameters, onStatement, toSend(compiled));
    },
    async *streamQuery<R>(compiled: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<R>> {
      const { sql, parameters } = compiled;
      const startedMs = performance.now();
      let fields: FieldPacket[] = [];
      const query = raw.query(toSend(compiled), parameters.map(bind));
      query.on("fields", (packets: FieldPacket[]) => {
        fields = packets;
      });
      // Unread rows would block the next statement.
      this.broken = true;
      let rows: R[] = [];
      for await (const row of query.stream({ highWaterMark: chunkSize })) {
        if (rows.push(row as R) >= chunkSize) {
          yield { rows: exactIntegers(rows, fields) };
          rows = [];
        }
      }
      this.broken = false;
      if (rows.length > 0) {
        yield { rows: exactIntegers(rows, fields) };
      }
      onStatement?.({
        sql,
        parameters,
        durationMs: performance.now() - startedMs,
      });
    },
  };
}

/**
 * Sends a statement and reports it. Marks a dead connection as broken. `sent` is the statement with the internal
 * additions.
 */
export async function execute<R>(
  connection: MysqlConnection,
  sql: string,
  parameters: readonly unknown[],
  onStatement: OnStatement | undefined,
  sent = sql,
): Promise<QueryResult<R>> {
  const startedMs = performance.now();
  try {
    const result = await send<R>(connection.raw, sent, parameters);
    onStatement?.({
      sql,
      parameters,
      durationMs: performance.now() - startedMs,
    });
    return result;
  } catch (error) {
    if (databaseErrorKind(error) === "lost") {
      connection.broken = true;
    }
    onStatement?.({
      sql,
      parameters,
      durationMs: performance.now() - startedMs,
      error,
    });
    throw error;
  }
}

/** Called with the GTID of each transaction that commits on a connection, where its session tracks it. */
export const onCommitted = new WeakMap<PoolConnection, (gtid: string) => void>();

interface OkPacket {
  stateChanges?: { systemVariables?: Readonly<Record<string, string>> };
  affectedRows: number;
  changedRows?: number;
  insertId: number | string;
}

/** Sends a statement. */
export function send<R>(raw: PoolConnection, sql: string, parameters: readonly unknown[]): Promise<QueryResult<R>> {
  return new Promise((resolve, reject) => {
    raw.query(sql, parameters.map(bind), (error, result: unknown, fields) => {
      if (error) {
        // The error originates in the socket; this stack identifies the statement.
        reject(
          Object.assign(error, {
            stack: `${error.stack}\n    while sending: ${sql.slice(0, 200)}`,
          }),
        );
      } else if (Array.isArray(result)) {
        resolve({ rows: exactIntegers(result as R[], fields) });
      } else {
        const { affectedRows, changedRows, stateChanges } = result as OkPacket;
        const gtid = stateChanges?.systemVariables?.["last_gtid"];
        if (gtid !== undefined) {
          onCommitted.get(raw)?.(gtid);
        }
        resolve({
          numAffectedRows: BigInt(affectedRows),
          ...(changedRows === undefined ? {} : { numChangedRows: BigInt(changedRows) }),
          rows: [],
        });
      }
    });
  });
}

/** `mysql2` returns integers beyond 2^53 as text; rows carry them as bigint. */
function exactIntegers<R>(rows: R[], fields: FieldPacket[]): R[] {
  for (const { name, columnType } of fields) {
    if (columnType === LONGLONG) {
      for (const row of rows as Record<string, unknown>[]) {
        const value = row[name];
        if (typeof value === "string") {
          row[name] = BigInt(value);
        }
      }
    }
  }
  return rows;
}

function bind(parameter: unknown) {
  const value = toBindValue(parameter);
  return value instanceof Uint8Array && !Buffer.isBuffer(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : value;
}
