import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe } from "@jest/globals";
import { createConnection } from "mysql2/promise";
import { startTelemetry, type Telemetry } from "../../../gateway/telemetry/start-telemetry.ts";
import { createDocket, type Docket } from "../../../web-client/sdk/docket.ts";
import { readHostConfig } from "../../host/config.ts";
import { type Host, type HostObserver, startHost } from "../../host/host.ts";
import { testEnvironment } from "./test-environment.ts";

/** A whole Docket for one test, on free ports and an empty data folder. */
export interface TestDocket extends AsyncDisposable {
  readonly running: Host;
  /** With the scope `admin` in the default tenant. */
  readonly admin: Docket;
  /** Creates a separate tenant; returns a client and its key. */
  tenant(name: string, scopes?: readonly string[]): Promise<{ docket: Docket; key: string }>;
}

/** That of all Dockets in this process. */
let telemetry: Promise<Telemetry> | undefined;

/** Starts one in this process. Unless a storage is given, it creates one and removes it at the end. */
export async function startDocket(
  environment: Record<string, string> = {},
  storage?: Storage,
  observer?: HostObserver,
): Promise<TestDocket> {
  const place = storage ?? (await createFolder());
  const config = readHostConfig({ ...testEnvironment, ...place.environment, ...environment });
  telemetry ??= startTelemetry({ serviceName: "docket", environment: {} });
  const { metrics } = await telemetry;
  // It outlives each of them.
  const running = await startHost(config, {
    telemetry: { metrics, exportsSpans: false, flush: async () => {}, shutdown: async () => {} },
    ...observer,
  });
  const admin = createDocket({ baseUrl: running.httpUrl, apiKey: running.adminKey, retry: { maxAttempts: 1 } });
  return {
    running,
    admin,
    tenant: tenantsOf(admin, running.httpUrl),
    async [Symbol.asyncDispose]() {
      await running[Symbol.asyncDispose]();
      if (storage === undefined) {
        await place[Symbol.asyncDispose]();
      }
    },
  };
}

/** Creates keys of tenants with an administrator's client. */
export function tenantsOf(admin: Docket, baseUrl: string): TestDocket["tenant"] {
  return async (tenant, scopes = ["admin"]) => {
    const { key } = await admin.apiKeys.createApiKey({
      apiKey: { displayName: tenant, scopes: [...scopes], tenant },
    });
    return { key, docket: createDocket({ baseUrl, apiKey: key, retry: { maxAttempts: 1 } }) };
  };
}

/** Settings of a storage; disposing it removes the data. */
export interface Storage extends AsyncDisposable {
  readonly environment: Record<string, string>;
}

/**
 * Describes a suite once on SQLite and once on MariaDB (reported as skipped if not installed). Each call of `create`
 * creates an empty storage.
 */
export function describeEachStorage(name: string, suite: (create: () => Promise<Storage>) => void): void {
  describe(`${name} on SQLite`, () => suite(createFolder));
  describeMariadbStorage(name, suite);
}

/** Describes a suite on MariaDB only, as {@link describeEachStorage} does. */
export function describeMariadbStorage(name: string, suite: (create: () => Promise<Storage>) => void): void {
  const server = process.env["DOCKET_TEST_MYSQL_URL"];
  (server ? describe : describe.skip)(`${name} on MariaDB`, () => suite(() => createSchemas(server ?? "")));
}

/** A storage on SQLite. */
export async function createFolder(): Promise<Storage> {
  const folder = await mkdtemp(join(tmpdir(), "docket-e2e-"));
  return {
    environment: { DOCKET_DATA_DIR: folder },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/** A storage on MariaDB or MySQL. */
export async function createSchemas(server: string): Promise<Storage> {
  const folder = await createFolder();
  const url = new URL(server);
  const prefix = `e2e_${Date.now().toString(36)}${Math.random().toString(36).slice(2, 6)}`;
  url.pathname = `/${prefix}`;
  return {
    environment: { ...folder.environment, DOCKET_DATABASE_URL: url.href },
    async [Symbol.asyncDispose]() {
      await folder[Symbol.asyncDispose]();
      url.pathname = "/information_schema";
      const connection = await createConnection(url.href);
      const [schemas] = await connection.query("select schema_name as name from schemata where schema_name like ?", [
        `${prefix}%`,
      ]);
      for (const { name } of schemas as { name: string }[]) {
        await connection.query(`drop database \`${name}\``);
      }
      await connection.end();
    },
  };
}
