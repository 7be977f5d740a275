import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Database } from "../db/connect.ts";
import { migrate } from "../db/migrate.ts";
import { describeEachDatabase } from "../testing/databases.ts";
import { testSeed } from "../testing/random.ts";
import type { Command } from "./command.ts";
import {
  type Account,
  type AccountTables,
  accountMigrations,
  add,
  close,
  eventsOf,
  note,
  open,
  poison,
  renumber,
  startCommands,
  stored,
} from "./testing/accounts.ts";

/** What a command does to a sequential model of the accounts. Returns its result; throws where the command is rejected. */
interface Step {
  readonly name: string;
  readonly command: Command<unknown>;
  apply(model: Model): unknown;
}

interface Model {
  readonly accounts: Map<string, Omit<Account, "id">>;
  readonly receipts: Map<string, number>;
  readonly events: Map<string, string[]>;
}

const ids = ["a", "b", "c"];
const id = fc.constantFrom(...ids);
const number = fc.constantFrom("1", "2", "3");
const name = fc.constantFrom("x", "y");

const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ id, number: fc.option(number, { nil: undefined }) }).map((it): Step => {
    const { number: wanted } = it;
    return {
      name: `open ${it.id} ${wanted}`,
      command: open(it.id, wanted === undefined ? {} : { number: wanted }),
      apply({ accounts, events }) {
        refuseIf(accounts.has(it.id) || isTaken(accounts, it.number));
        accounts.set(it.id, { number: it.number, balance: 0, notes: {}, version: 1 });
        publish(events, it.id, "Opened");
      },
    };
  }),
  fc
    .record({ id, amount: fc.integer({ min: -3, max: 5 }), receipt: fc.option(fc.constantFrom("r", "s", "u", "v")) })
    .map(
      ({ id: to, amount, receipt }): Step => ({
        name: `add ${to} ${amount} ${receipt}`,
        command: add(to, amount, receipt === null ? {} : { receipt }),
        apply({ accounts, receipts, events }) {
          const known = receipts.get(receipt ?? "");
          if (known !== undefined) {
            return known;
          }
          const account = existing(accounts, to);
          const balance = account.balance + amount;
          refuseIf(balance < 0);
          accounts.set(to, { ...account, balance, version: account.version + 1 });
          publish(events, to, `Changed ${balance}`);
          if (receipt !== null) {
            receipts.set(receipt, balance);
          }
          return balance;
        },
      }),
    ),
  fc.record({ id, name, body: fc.option(fc.constantFrom("one", "two"), { nil: undefined }) }).map(
    (it): Step => ({
      name: `note ${it.id} ${it.name} ${it.body}`,
      command: note(it.id, it.name, it.body),
      apply({ accounts }) {
        const account = existing(accounts, it.id);
        const { [it.name]: _, ...others } = account.notes;
        const notes = it.body === undefined ? others : { ...others, [it.name]: it.body };
        accounts.set(it.id, { ...account, notes, version: account.version + 1 });
      },
    }),
  ),
  fc.record({ from: number, to: fc.option(number, { nil: undefined }) }).map(
    ({ from, to }): Step => ({
      name: `renumber ${from} ${to}`,
      command: renumber(from, to),
      apply({ accounts }) {
        const found = [...accounts].find(([, account]) => account.number === from);
        if (found === undefined) {
          throw new Error("no such number");
        }
        refuseIf(to !== from && isTaken(accounts, to));
        const [key, account] = found;
        accounts.set(key, { ...account, number: to, version: account.version + 1 });
        return key;
      },
    }),
  ),
  id.map(
    (it): Step => ({
      name: `close ${it}`,
      command: close(it),
      apply({ accounts }) {
        existing(accounts, it);
        accounts.delete(it);
      },
    }),
  ),
  id.map(
    (it): Step => ({
      name: `poison ${it}`,
      command: poison(it),
      apply: () => refuseIf(true),
    }),
  ),
);

describeEachDatabase("random commands", (openDatabase) => {
  // A failure shows its seed; DOCKET_TEST_SEED repeats it.
  test("have the results of commands that run one after another, and leave the same rows and events", async () => {
    await using db = await openDatabase<AccountTables>();
    await migrate(db, accountMigrations);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(steps, { minLength: 1, maxLength: 12 }), { maxLength: 6 }),
        fc.integer({ min: 1, max: 16 }),
        async (waves, maxCommands) => {
          await clear(db);
          const model: Model = { accounts: new Map(), receipts: new Map(), events: new Map() };
          await using commands = startCommands(db, { maxCommands });
          for (const wave of waves) {
            const expected = wave.map((step) => outcomeOf(() => step.apply(model)));
            const outcomes = await Promise.allSettled(wave.map(({ command }) => commands.execute(command)));
            const actual = outcomes.map((it) => (it.status === "fulfilled" ? it.value : "rejected"));
            expect(wave.map((step, at) => [step.name, actual[at]])).toEqual(
              wave.map((step, at) => [step.name, expected[at]]),
            );
            expect(await stored(db)).toEqual(Object.fromEntries(model.accounts));
          }
          const rows = await db.kysely.selectFrom("receipts").select(["id", "balance"]).execute();
          expect(new Map(rows.map((row) => [row.id, Number(row.balance)]))).toEqual(model.receipts);
          for (const key of ids) {
            expect(await eventsOf(db, key)).toEqual(model.events.get(key) ?? []);
          }
        },
      ),
      { numRuns: 60, seed: testSeed },
    );
  }, 120_000);
});

async function clear(db: Database<AccountTables>) {
  for (const table of ["accounts", "account_notes", "receipts", "outbox_messages"] as const) {
    await db.kysely.deleteFrom(table).execute();
  }
}

function outcomeOf(apply: () => unknown): unknown {
  try {
    return apply();
  } catch {
    return "rejected";
  }
}

function existing(accounts: Model["accounts"], key: string) {
  const account = accounts.get(key);
  if (account === undefined) {
    throw new Error("no such account");
  }
  return account;
}

function isTaken(accounts: Model["accounts"], wanted: string | undefined): boolean {
  return wanted !== undefined && [...accounts.values()].some((account) => account.number === wanted);
}

function refuseIf(refused: boolean): void {
  if (refused) {
    throw new Error("refused");
  }
}

function publish(events: Model["events"], key: string, event: string): void {
  events.set(key, [...(events.get(key) ?? []), event]);
}
