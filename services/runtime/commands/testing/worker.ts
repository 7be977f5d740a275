import { openDatabase } from "../../db/connect.ts";
import type { Statement } from "../../db/statement.ts";
import { type AccountTables, add, startCommands } from "./accounts.ts";

/** Where a process kills itself between two steps of a batch. */
export type Boundary = "before load" | "after load" | "after decide" | "before commit" | "after commit";

export interface WorkerOptions {
  readonly url: string;
  readonly receipts: number;
  readonly accounts: number;
  /** Kills the process with SIGKILL at this step of its third batch. */
  readonly killAt?: Boundary;
}

/** Sent by a worker for each result; afterwards it exits. */
export interface WorkerMessage {
  readonly receipt: string;
  readonly balance: number;
}

/** The account of the nth receipt. */
export const accountOf = (nth: number, accounts: number) => `a${nth % accounts}`;

/**
 * A process that adds 1 to some accounts, once for each receipt, 16 at a time, and repeats what fails:
 * `node worker.ts '<WorkerOptions>'`.
 */
if (process.argv[1] === import.meta.filename) {
  const options = JSON.parse(process.argv[2] ?? "{}") as WorkerOptions;
  let batches = 0;
  const killAt = (boundary: Boundary) => {
    if (boundary === options.killAt && batches === 3) {
      process.kill(process.pid, "SIGKILL");
    }
  };
  const onStatement = ({ sql, error }: Statement) => {
    if (error !== undefined) {
      return;
    }
    if (/^begin/.test(sql)) {
      batches += 1;
      killAt("before load");
    } else if (/^select .* from `account_notes`/.test(sql)) {
      killAt("after load");
    } else if (/^update/.test(sql)) {
      killAt("after decide");
    } else if (/insert into outbox_messages/.test(sql)) {
      killAt("before commit");
    } else if (sql === "commit") {
      killAt("after commit");
    }
  };
  await using db = await openDatabase<AccountTables>({ url: options.url, onStatement });
  await using commands = startCommands(db, { maxCommands: 16 });

  let next = 0;
  const work = async () => {
    while (next < options.receipts) {
      const nth = next;
      next += 1;
      const receipt = `r${nth}`;
      const balance = await commands.execute(add(accountOf(nth, options.accounts), 1, { receipt }));
      process.send?.({ receipt, balance } satisfies WorkerMessage);
    }
  };
  await Promise.all(Array.from({ length: 16 }, work));
  process.disconnect();
}
