import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Order_State } from "../../gen/docket/order/v1/order_pb.js";
import { createDocket } from "../../web-client/sdk/docket.ts";
import { money } from "../../web-client/sdk/money.ts";
import { type KafkaServer, startKafka, whyNoKafka } from "../runtime/testing/kafka.ts";
import { until } from "../runtime/testing/until.ts";
import { auditBooks } from "./support/audit/books.ts";
import { eventually } from "./support/eventually.ts";
import { startProcesses } from "./support/processes.ts";
import { runToEnd } from "./support/program.ts";
import { stockTea, teaOrder, untilState } from "./support/shop.ts";
import { createFolder, createSchemas } from "./support/start-docket.ts";

const server = process.env["DOCKET_TEST_MYSQL_URL"];
const reason = whyNoKafka() ?? (server === undefined ? "there is no MariaDB" : undefined);

(reason === undefined ? describe : describe.skip)(
  `processes with Kafka${reason === undefined ? "" : ` (skipped: ${reason})`}`,
  () => {
    let kafka: KafkaServer;
    let settings: Record<string, string>;
    beforeAll(async () => {
      kafka = await startKafka();
      settings = {
        DOCKET_KAFKA_BROKERS: kafka.address,
        DOCKET_KAFKA_PARTITIONS: "4",
        DOCKET_KAFKA_REPLICATION: "1",
        // The shortest that the broker allows without a setting of its own.
        DOCKET_KAFKA_SESSION_TIMEOUT: "6s",
      };
    }, 120_000);
    afterAll(async () => {
      await kafka?.[Symbol.asyncDispose]();
    });

    test("do not start without topics or brokers, and say what to do", async () => {
      await using folder = await createFolder();
      const environment = { ...folder.environment, ...settings, DOCKET_KAFKA_PREFIX: "missing." };
      const missing = await runToEnd(environment);
      expect(missing).toMatchObject({ code: 1, said: expect.stringContaining("Topic missing.order does not exist.") });
      expect(missing.said).toContain("Run `node services/main.ts topics` with the same settings");

      const away = await runToEnd({ ...environment, DOCKET_KAFKA_BROKERS: "127.0.0.1:1" });
      expect(away).toMatchObject({
        code: 1,
        said: expect.stringContaining("Kafka at 127.0.0.1:1 does not serve this process"),
      });
      expect(away.said).not.toContain("    at ");

      const unset = await runToEnd(folder.environment, ["topics"]);
      expect(unset).toMatchObject({ code: 1, said: expect.stringContaining("DOCKET_KAFKA_BROKERS must be set") });
    }, 120_000);

    test("complete their orders while a consumer is killed and the broker starts again, with balanced books", async () => {
      const made = await runToEnd(settings, ["topics"]);
      expect(made).toMatchObject({ code: 0, printed: expect.stringContaining("docket.order: created, 4 partitions") });
      await using schemas = await createSchemas(server ?? "");
      const storage = { environment: { ...schemas.environment, ...settings } };
      await using docket = await startProcesses(storage, { twice: ["order", "payment", "inventory"] });
      // With the retries of the SDK, as its users have them.
      const client = createDocket({ baseUrl: docket.gateway.httpUrl, apiKey: docket.gateway.key });
      await stockTea(client, 30);
      const names: string[] = [];
      const order = async (count: number) => {
        for (let nth = 0; nth < count; nth++) {
          names.push((await client.orders.createOrder({ order: teaOrder() })).name);
        }
      };
      const passes = async () => (await fetch(`${docket.programs.get("order")?.opsUrl}/probe/kafka`)).ok;
      await order(4);
      await until(passes);
      await docket.programs.get("order-2")?.kill();
      await docket.programs.get("inventory")?.kill();
      await order(4);
      await kafka.kill();
      await order(4);
      await until(async () => !(await passes()));
      await kafka.restart();
      await docket.restart("inventory");
      await docket.restart("order-2");
      await order(3);
      // A price of the caller's own is audited: by an event of order to operations.
      const priced = await client.orders.createOrder({ order: teaOrder({ shippingFee: money("EUR", "1.00") }) });
      names.push(priced.name);
      for (const name of names) {
        await untilState(client, name, [Order_State.COMPLETED], 120_000);
      }
      await eventually(async () => (await auditBooks(client)).join("\n"), "", 60_000);
      const { stockOnHand, stockReserved } = await client.items.getItem({ name: "items/TEA" });
      expect({ stockOnHand, stockReserved }).toEqual({ stockOnHand: 14n, stockReserved: 0n });
      await until(async () => {
        const headers = { authorization: `Bearer ${docket.gateway.key}` };
        const trail = await fetch(`${docket.gateway.httpUrl}/v1/auditEvents`, { headers });
        return (await trail.text()).includes(priced.name);
      });
      for (const program of docket.programs.values()) {
        expect(await program.stop()).toBe(0);
      }
    }, 400_000);
  },
);
