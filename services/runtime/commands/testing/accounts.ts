import { type Selectable, sql } from "kysely";
import { bigint, int, notNull, tenantId, text } from "../../db/columns.ts";
import type { Database } from "../../db/connect.ts";
import { ensure, type Migration } from "../../db/migrate.ts";
import { outboxMigrations } from "../../outbox/migrations.ts";
import { createOutbox, type OutboxEvent } from "../../outbox/outbox.ts";
import type { OutboxTables } from "../../outbox/tables.ts";
import { createLogger } from "../../telemetry/log.ts";
import { systemClock } from "../../values/clock.ts";
import { createIds } from "../../values/ids.ts";
import type { Batch, Command } from "../command.ts";
import { type CommandsOptions, createCommands } from "../commands.ts";
import { defineMapping } from "../mapping.ts";
import { defineTable } from "../table.ts";

/** Database for command tests: accounts with notes, and receipts. */
export interface AccountTables extends OutboxTables {
  accounts: { tenant_id: string; id: string; number: string | null; balance: number | bigint; version: number };
  account_notes: { tenant_id: string; account_id: string; name: string; body: string };
  receipts: { tenant_id: string; id: string; balance: number | bigint };
}

const accountsMigration: Migration = {
  async up({ schema }) {
    await schema
      .createTable("accounts")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, notNull)
      .addColumn("id", text(64), notNull)
      .addColumn("number", text(64))
      .addColumn("balance", bigint, notNull)
      .addColumn("version", int, notNull)
      .addPrimaryKeyConstraint("accounts_pk", ["tenant_id", "id"])
      .execute();
    await ensure(schema.createIndex("accounts_number").on("accounts").columns(["tenant_id", "number"]).unique());
    await ensure(schema.createIndex("accounts_balance").on("accounts").columns(["tenant_id", "balance"]));
    await schema
      .createTable("account_notes")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, notNull)
      .addColumn("account_id", text(64), notNull)
      .addColumn("name", text(64), notNull)
      .addColumn("body", text(200), notNull)
      .addPrimaryKeyConstraint("account_notes_pk", ["tenant_id", "account_id", "name"])
      .execute();
    await schema
      .createTable("receipts")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, notNull)
      .addColumn("id", text(64), notNull)
      .addColumn("balance", bigint, notNull)
      .addPrimaryKeyConstraint("receipts_pk", ["tenant_id", "id"])
      .addCheckConstraint("receipts_balance", sql`balance >= 0`)
      .execute();
  },
};

export const accountMigrations = { ...outboxMigrations, accounts: accountsMigration } satisfies Record<
  string,
  Migration
>;

export interface Account {
  readonly id: string;
  readonly number: string | undefined;
  readonly balance: number;
  readonly notes: Readonly<Record<string, string>>;
  readonly version: number;
}

const accountsTable = defineTable<Selectable<AccountTables["accounts"]>>({
  name: "accounts",
  key: ["tenant_id", "id"],
  columns: ["tenant_id", "id", "number", "balance", "version"],
  version: "version",
});

const notesTable = defineTable<Selectable<AccountTables["account_notes"]>>({
  name: "account_notes",
  key: ["tenant_id", "account_id", "name"],
  columns: ["tenant_id", "account_id", "name", "body"],
});

const receiptsTable = defineTable<Selectable<AccountTables["receipts"]>>({
  name: "receipts",
  key: ["tenant_id", "id"],
  columns: ["tenant_id", "id", "balance"],
});

const tenant = "t";

export const keyOf = (id: string): [string, string] => [tenant, id];

export const accounts = defineMapping({
  root: accountsTable,
  parts: { notes: notesTable },
  unique: { number: ["tenant_id", "number"] },
  indexes: { balance: { columns: ["tenant_id", "balance"], name: "accounts_balance" } },
  keyOf: (account: Account) => keyOf(account.id),
  fromRows: (row, { notes }): Account => ({
    id: row.id,
    number: row.number ?? undefined,
    balance: Number(row.balance),
    notes: Object.fromEntries(notes.map(({ name, body }) => [name, body])),
    version: row.version,
  }),
  toRow: ({ id, number, balance, version }) => ({ tenant_id: tenant, id, number: number ?? null, balance, version }),
  toParts: ({ id, notes }) => ({
    notes: Object.entries(notes).map(([name, body]) => ({ tenant_id: tenant, account_id: id, name, body })),
  }),
});

export const receipts = defineMapping({
  root: receiptsTable,
  keyOf: (receipt: { id: string; balance: number }) => keyOf(receipt.id),
  fromRows: (row) => ({ id: row.id, balance: Number(row.balance) }),
  toRow: ({ id, balance }) => ({ tenant_id: tenant, id, balance }),
});

/** The processor of a test. */
export function startCommands(
  db: Database<AccountTables>,
  options: Partial<Omit<CommandsOptions<AccountTables>, "db">> = {},
) {
  const outbox = createOutbox({ source: "docket/test", ids: createIds(systemClock), clock: systemClock });
  return createCommands({ outbox, log: createLogger({ level: "silent", name: "test" }), ...options, db });
}

/** Thrown by a command that rejects its request. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
}

/** Opens an account. */
export function open(id: string, { number, balance = 0 }: { number?: string; balance?: number } = {}): Command<void> {
  return {
    keys: (need) => need.one(accounts, keyOf(id)),
    decide(batch) {
      if (batch.get(accounts, keyOf(id)) !== undefined) {
        throw new RefusedError(`${id} is open already`);
      }
      batch.insert(accounts, { id, number, balance, notes: {}, version: 1 });
      batch.publish(opened(id));
    },
  };
}

/** Adds to a balance, which must not become negative, and returns the new one. A receipt makes it idempotent. */
export function add(id: string, amount: number, { receipt }: { receipt?: string } = {}): Command<number> {
  return {
    keys(need) {
      need.one(accounts, keyOf(id));
      if (receipt !== undefined) {
        need.fresh(receipts, keyOf(receipt));
      }
    },
    decide(batch) {
      const known = receipt === undefined ? undefined : batch.get(receipts, keyOf(receipt));
      if (known !== undefined) {
        return known.balance;
      }
      const account = existing(batch, id);
      const balance = account.balance + amount;
      const changed = { ...account, balance, version: account.version + 1 };
      batch.update(accounts, changed);
      batch.publish(changedTo(id, balance));
      if (receipt !== undefined) {
        batch.insert(receipts, { id: receipt, balance });
      }
      if (balance < 0) {
        throw new RefusedError(`${id} has only ${account.balance}`);
      }
      return balance;
    },
  };
}

/** Adds to a balance and writes a row that the database rejects. */
export function poison(id: string, amount = 1000): Command<void> {
  return {
    keys: (need) => need.one(accounts, keyOf(id)),
    decide(batch) {
      const account = existing(batch, id);
      batch.update(accounts, { ...account, balance: account.balance + amount, version: account.version + 1 });
      batch.insert(receipts, { id: `poison-${id}-${account.version}`, balance: -1 });
    },
  };
}

/** Writes or removes a note. */
export function note(id: string, name: string, body: string | undefined): Command<void> {
  return {
    keys: (need) => need.one(accounts, keyOf(id)),
    decide(batch) {
      const account = existing(batch, id);
      const { [name]: _, ...others } = account.notes;
      const notes = body === undefined ? others : { ...others, [name]: body };
      batch.update(accounts, { ...account, notes, version: account.version + 1 });
    },
  };
}

/** Finds an account by its number and changes or removes the number. */
export function renumber(from: string, to: string | undefined): Command<string> {
  return {
    keys: (need) => need.by(accounts, "number", keyOf(from)),
    decide(batch) {
      const account = batch.find(accounts, "number", keyOf(from));
      if (account === undefined) {
        throw new RefusedError(`no account has the number ${from}`);
      }
      batch.update(accounts, { ...account, number: to, version: account.version + 1 });
      return account.id;
    },
  };
}

/** Closes an account. */
export function close(id: string): Command<void> {
  return {
    keys: (need) => need.one(accounts, keyOf(id)),
    decide(batch) {
      existing(batch, id);
      batch.delete(accounts, keyOf(id));
    },
  };
}

function existing(batch: Batch, id: string): Account {
  const account = batch.get(accounts, keyOf(id));
  if (account === undefined) {
    throw new RefusedError(`there is no account ${id}`);
  }
  return account;
}

function opened(id: string): OutboxEvent {
  return { tenant, aggregate: `accounts/${id}`, type: "docket.test.v1.Opened", data: new Uint8Array() };
}

function changedTo(id: string, balance: number): OutboxEvent {
  return { tenant, aggregate: `accounts/${id}`, type: "docket.test.v1.Changed", data: Buffer.from(String(balance)) };
}

/** The whole content of the database, with accounts by id. */
export async function stored(db: Database<AccountTables>) {
  const rows = await db.kysely.selectFrom("accounts").selectAll().orderBy("id").execute();
  const notes = await db.kysely.selectFrom("account_notes").selectAll().orderBy("name").execute();
  return Object.fromEntries(
    rows.map(({ id, number, balance, version }) => {
      const own = notes.filter(({ account_id }) => account_id === id).map(({ name, body }) => [name, body] as const);
      return [id, { number: number ?? undefined, balance: Number(balance), notes: Object.fromEntries(own), version }];
    }),
  );
}

/** Types and payloads of an account's events, in order. */
export async function eventsOf(db: Database<AccountTables>, id: string): Promise<string[]> {
  const rows = await db.kysely
    .selectFrom("outbox_messages")
    .select(["type", "data"])
    .where("aggregate", "=", `accounts/${id}`)
    .orderBy("sequence")
    .execute();
  return rows.map(({ type, data }) => `${type.split(".").at(-1)} ${Buffer.from(data)}`.trim());
}
