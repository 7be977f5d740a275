import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createConnection } from "mysql2/promise";
import { findProgram, type MariadbServer, startMariadb } from "../runtime/testing/mariadb.ts";
import { until } from "../runtime/testing/until.ts";
import { createFolder, type Storage, startDocket, type TestDocket } from "./support/start-docket.ts";

const logging = ["--log-bin=bin", "--binlog-format=ROW", "--log-slave-updates", "--gtid-strict-mode=ON"];

(findProgram("mariadbd") ? describe : describe.skip)("a Docket with a replica", () => {
  let primary: MariadbServer;
  let replica: MariadbServer;
  let storage: Storage;
  let docket: TestDocket;
  let other: TestDocket;
  beforeAll(async () => {
    primary = (await startMariadb({ options: [...logging, "--server-id=1"] })) as MariadbServer;
    replica = (await startMariadb({ options: [...logging, "--server-id=2"] })) as MariadbServer;
    const { hostname, port } = new URL(primary.url);
    await onReplica(
      `change master to master_host='${hostname}', master_port=${port}, master_user='root', master_use_gtid=slave_pos`,
    );
    await onReplica("start slave");
    storage = await createFolder();
    const environment = { DOCKET_DATABASE_URL: `${primary.url}shop?replica=${new URL(replica.url).host}` };
    docket = await startDocket({ ...environment, DOCKET_ADMIN_KEY: key }, storage);
    other = await startDocket({ ...environment, DOCKET_ADMIN_KEY: key }, storage);
  }, 180_000);
  afterAll(async () => {
    await other[Symbol.asyncDispose]();
    await docket[Symbol.asyncDispose]();
    await storage[Symbol.asyncDispose]();
    await replica[Symbol.asyncDispose]();
    await primary[Symbol.asyncDispose]();
  });

  const key = `dk_${"k".repeat(40)}`;
  const onReplica = async (statement: string) => {
    const connection = await createConnection(replica.url);
    await connection.query(statement);
    await connection.end();
  };
  const create = async (sku: string) => {
    const response = await fetch(`${docket.running.httpUrl}/v1/items`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ sku, title: sku, prices: [{ currencyCode: "EUR", units: "1" }] }),
    });
    expect(response.status).toBeLessThan(300);
    return response.headers.get("docket-read-position") ?? "";
  };
  const list = async ({ running }: TestDocket, position = "") => {
    const headers = { authorization: `Bearer ${key}`, ...(position !== "" && { "docket-read-position": position }) };
    const { items = [] } = (await (await fetch(`${running.httpUrl}/v1/items`, { headers })).json()) as {
      items?: { sku: string }[];
    };
    return items.map(({ sku }) => sku);
  };

  test("lists what a caller has written, through any process, while the replica is held back", async () => {
    expect(await create("ONE")).toMatch(/^\d+-1-\d+$/);
    await until(async () => (await list(other)).includes("ONE"));
    await onReplica("stop slave sql_thread");
    const position = await create("TWO");
    expect(await list(docket)).toEqual(["ONE", "TWO"]);
    expect(await list(other, position)).toEqual(["ONE", "TWO"]);
    await onReplica("start slave sql_thread");
    await until(async () => (await list(other)).includes("TWO"));
  });
});
