import { getOption } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { LogisticsService } from "../../../gen/docket/logistics/v1/logistics_service_pb.js";
import { ApiKeyService } from "../../../gen/docket/operations/v1/api_key_service_pb.js";
import { AuditService } from "../../../gen/docket/operations/v1/audit_service_pb.js";
import { DeadLetterService } from "../../../gen/docket/operations/v1/dead_letter_service_pb.js";
import { SagaService } from "../../../gen/docket/operations/v1/saga_service_pb.js";
import { WebhookService } from "../../../gen/docket/operations/v1/webhook_service_pb.js";
import { access } from "../../../gen/docket/options/v1/options_pb.js";
import { CustomerService } from "../../../gen/docket/order/v1/customer_service_pb.js";
import { OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import { scopesBeyond, unknownScopes } from "./scopes.ts";

const services = [
  AuditService,
  InventoryService,
  LogisticsService,
  ApiKeyService,
  DeadLetterService,
  SagaService,
  WebhookService,
  CustomerService,
  OrderService,
  PaymentService,
];

describe("scopes", () => {
  test("include every scope that the API requires", () => {
    const asked = services.flatMap((service) => service.methods).flatMap((method) => getOption(method, access).scopes);
    expect(asked).not.toHaveLength(0);
    expect(unknownScopes(asked)).toEqual([]);
  });

  test("detect a scope that does not exist", () => {
    expect(unknownScopes(["orders.read", "orders.fly"])).toEqual(["orders.fly"]);
  });

  test("do not let a tenant administrator grant or revoke platform scopes", () => {
    expect(unknownScopes(["platform.admin"])).toEqual(["platform.admin"]);
    expect(scopesBeyond(new Set(["admin"]), ["platform.admin"])).toEqual(["platform.admin"]);
    expect(scopesBeyond(new Set(["admin", "platform.admin"]), ["platform.admin", "orders.read"])).toEqual([]);
  });

  test("can be granted only by callers that have them", () => {
    expect(scopesBeyond(new Set(["orders.read"]), ["orders.read", "admin"])).toEqual(["admin"]);
    expect(scopesBeyond(new Set(["admin"]), ["orders.read", "admin"])).toEqual([]);
  });
});
