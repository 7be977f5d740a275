import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { create, type DescField, type DescMessage, getOption, type Message, ScalarType } from "@bufbuild/protobuf";
import { isReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { sql } from "kysely";
import { FieldBehavior, field_behavior } from "../../../gen/google/api/field_behavior_pb.js";
import { databaseUrlOf } from "../../host/database-urls.ts";
import { isErasedWithCustomer } from "../../runtime/api/personal-fields.ts";
import { type Database, openDatabase } from "../../runtime/db/connect.ts";
import type { Storage } from "./start-docket.ts";

/** Unique texts in place of personal data, each with its location. */
export interface Marks {
  /** Creates a text of lower-case letters and digits. */
  at(where: string): string;
  /** Locations of the marks contained in the bytes, ignoring case. */
  foundIn(bytes: Uint8Array | string): string[];
  readonly planted: readonly string[];
}

export function createMarks(): Marks {
  const marks = new Map<string, string>();
  return {
    at(where) {
      const mark = `zq${randomBytes(6).toString("hex")}`;
      marks.set(mark, where);
      return mark;
    },
    foundIn(bytes) {
      const text = Buffer.from(bytes as Uint8Array)
        .toString("latin1")
        .toLowerCase();
      return text.includes("zq") ? [...marks].filter(([mark]) => text.includes(mark)).map(([, where]) => where) : [];
    },
    get planted() {
      return [...marks.values()];
    },
  };
}

/**
 * Fills every field of the message that a caller can set and that is erased with its customer, at every depth. Returns
 * the full names of these fields.
 */
export function plant(schema: DescMessage, message: Message, marks: Marks, where = schema.name): string[] {
  const reflected = reflect(schema, message);
  return schema.fields.flatMap((field) => {
    const at = `${where}.${field.name}`;
    if (getOption(field, field_behavior).includes(FieldBehavior.OUTPUT_ONLY)) {
      return [];
    }
    if (isErasedWithCustomer(field)) {
      fill(field, reflected, marks.at(at));
      return [`${field.parent.typeName}.${field.name}`];
    }
    if (field.fieldKind !== "message" || !holdsMarks(field.message)) {
      return [];
    }
    if (!reflected.isSet(field)) {
      reflected.set(field, reflect(field.message, create(field.message)));
    }
    const part = reflected.get(field);
    return isReflectMessage(part) ? plant(part.desc, part.message, marks, at) : [];
  });
}

function fill(field: DescField, reflected: ReturnType<typeof reflect>, mark: string): void {
  if (field.fieldKind === "scalar" && field.scalar === ScalarType.STRING) {
    reflected.set(field, field.name === "email" ? `${mark}@Example.org` : mark);
  } else if (field.fieldKind === "list" && field.listKind === "scalar") {
    reflected.get(field).add(mark);
  } else if (field.fieldKind === "map" && field.mapKind === "scalar") {
    reflected.get(field).set("planted", mark);
  } else {
    throw new TypeError(`teach this how to plant a mark in ${field.parent.typeName}.${field.name}`);
  }
}

function holdsMarks(schema: DescMessage): boolean {
  return schema.fields.some((field) => isErasedWithCustomer(field));
}

export const services = ["order", "payment", "logistics", "inventory", "operations", "sandbox"] as const;

/** Opens the database of a service for direct access. */
export function openBeside<DB>({ environment }: Storage, service: (typeof services)[number]): Promise<Database<DB>> {
  const file = (name: string) => join(environment["DOCKET_DATA_DIR"] ?? "", name);
  const url = databaseUrlOf(service, { file }, environment["DOCKET_DATABASE_URL"]);
  return openDatabase<DB>({ url, maxConnections: 1 });
}

/** Finds every column of every row of every database with a mark in it: `service.table.column: location`. */
export async function marksInDatabases(storage: Storage, marks: Marks): Promise<string[]> {
  const found = new Set<string>();
  for (const service of services) {
    await using db = await openBeside<unknown>(storage, service);
    for (const table of await tablesOf(db)) {
      const { rows } = await sql<Record<string, unknown>>`select * from ${sql.table(table)}`.execute(db.kysely);
      for (const row of rows) {
        for (const [column, value] of Object.entries(row)) {
          if (typeof value === "string" || value instanceof Uint8Array) {
            for (const where of marks.foundIn(value)) {
              found.add(`${service}.${table}.${column}: ${where}`);
            }
          }
        }
      }
    }
  }
  return [...found].sort();
}

/** Finds every file of the data folder with a mark in its bytes. */
export async function marksInFiles({ environment }: Storage, marks: Marks): Promise<string[]> {
  const folder = environment["DOCKET_DATA_DIR"] ?? "";
  const found = new Set<string>();
  for (const name of await readdir(folder)) {
    for (const where of marks.foundIn(await readFile(join(folder, name)))) {
      found.add(`${name}: ${where}`);
    }
  }
  return [...found].sort();
}

async function tablesOf(db: Database<unknown>): Promise<string[]> {
  const query =
    db.dialect === "sqlite"
      ? sql<{ name: string }>`select name from sqlite_master where type = 'table'`
      : sql<{ name: string }>`select table_name as name from information_schema.tables where table_schema = database()`;
  return (await query.execute(db.kysely)).rows.map(({ name }) => name);
}
