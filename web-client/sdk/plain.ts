import { createRegistry, type DescFile, type JsonValue, type Message, type Registry, toJson } from "@bufbuild/protobuf";
import { InventoryService } from "../../gen/docket/inventory/v1/inventory_service_pb.js";
import { LogisticsService } from "../../gen/docket/logistics/v1/logistics_service_pb.js";
import { ApiKeyService } from "../../gen/docket/operations/v1/api_key_service_pb.js";
import { DeadLetterService } from "../../gen/docket/operations/v1/dead_letter_service_pb.js";
import { SagaService } from "../../gen/docket/operations/v1/saga_service_pb.js";
import { CustomerService } from "../../gen/docket/order/v1/customer_service_pb.js";
import { OrderService } from "../../gen/docket/order/v1/order_service_pb.js";
import { PaymentService } from "../../gen/docket/payment/v1/payment_service_pb.js";

let known: Registry | undefined;

/** Registry of all message types that the client sends and receives. */
function registry(): Registry {
  if (known === undefined) {
    const files = new Set<DescFile>();
    const add = (file: DescFile): void => {
      if (!files.has(file)) {
        files.add(file);
        for (const dependency of file.dependencies) {
          add(dependency);
        }
      }
    };
    const services = [
      OrderService,
      CustomerService,
      InventoryService,
      PaymentService,
      LogisticsService,
      ApiKeyService,
      SagaService,
      DeadLetterService,
    ];
    for (const { file } of services) {
      add(file);
    }
    known = createRegistry(...files);
  }
  return known;
}

/**
 * Converts a message to plain JSON as in REST: enums by name, 64-bit integers as strings, times in RFC 3339. For logs,
 * and for `console.log` and `JSON.stringify`, which otherwise show enums as numbers and fail on bigints.
 *
 * @throws Error if the message is not one of Docket's
 */
export function plain(message: Message): JsonValue {
  const types = registry();
  const schema = types.getMessage(message.$typeName);
  if (schema === undefined) {
    throw new Error(`${message.$typeName} is not a message of Docket`);
  }
  return toJson(schema, message, { registry: types });
}
