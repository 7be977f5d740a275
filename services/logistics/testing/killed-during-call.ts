/**
 * A logistics service process that is killed during its first carrier call of a kind, after the carrier has received the
 * request (and appended the reference of a booking to a file) but before the response is stored. Arguments: the
 * database's URL, the file, `book` or `cancel`, and the timeout of carrier calls in milliseconds.
 */
import { appendFileSync } from "node:fs";
import { OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { createLocalTransport } from "../../runtime/call/local-transport.ts";
import { createServiceClient } from "../../runtime/call/service-client.ts";
import { createLogger } from "../../runtime/telemetry/log.ts";
import { logisticsDefaults } from "../config.ts";
import { createLogisticsService } from "../service.ts";
import { createScriptedCarrier } from "./scripted-carrier.ts";

const [databaseUrl = "", file = "", fatal = "book", carrierTimeoutMs = "250"] = process.argv.slice(2);
const carrier = createScriptedCarrier();
carrier.beforeResponse = async (call) => {
  if (call !== fatal) {
    return;
  }
  appendFileSync(file, `${carrier.booked[0]?.reference}\n`);
  process.kill(process.pid, "SIGKILL");
};
const { transport } = createLocalTransport({ interceptors: [] });
const service = await createLogisticsService(
  {
    ...logisticsDefaults,
    databaseUrl,
    carriers: ["sandbox"],
    carrierSettings: {
      sandbox: {
        baseUrl: "http://127.0.0.1:1",
        apiKey: "unused",
        secret: `whsec_${Buffer.alloc(32, 7).toString("base64")}`,
      },
    },
    carrierTimeoutMs: Number(carrierTimeoutMs),
  },
  {
    clients: { order: createServiceClient(OrderService, transport, { subject: "logistics" }) },
    carriers: [carrier],
    log: createLogger({ level: "silent", name: "test" }),
  },
);
await service.start();
