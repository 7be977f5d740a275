import { create, toJson } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import { expect, test } from "@jest/globals";
import { OrderSchema } from "../../../gen/docket/order/v1/order_pb.js";
import { BatchCreateOrdersRequestSchema } from "../../../gen/docket/order/v1/order_service_pb.js";
import { clearPersonal, ERASED, eraseCustomer } from "./personal-fields.ts";

const order = () =>
  create(OrderSchema, {
    name: "orders/1",
    customer: { id: "c1", displayName: "Ada", email: "ada@example.org", phone: "1" },
    shippingAddress: { recipient: "Ada", addressLines: ["1 Main St"], locality: "Berlin", regionCode: "DE" },
    lineItems: [{ sku: "TEA", quantity: 1 }],
  });

test("what is marked as personal is cleared, and nothing else", () => {
  const message = order();
  clearPersonal(OrderSchema, message);
  expect(toJson(OrderSchema, message)).toEqual({
    name: "orders/1",
    customer: { id: "c1" },
    shippingAddress: { regionCode: "DE" },
    lineItems: [{ sku: "TEA", quantity: 1 }],
  });
});

test("personal fields are found in lists and at every depth", () => {
  const request = create(BatchCreateOrdersRequestSchema, { requests: [{ order: order() }, { order: order() }] });
  clearPersonal(BatchCreateOrdersRequestSchema, request);
  expect(JSON.stringify(toJson(BatchCreateOrdersRequestSchema, request))).not.toMatch(/Ada|Main|Berlin/);
});

test("what is erased with a customer leaves a message that is still valid", () => {
  const message = { ...order(), currencyCode: "EUR", note: "for Ada", labels: { who: "ada" } };
  eraseCustomer(OrderSchema, message);
  expect(toJson(OrderSchema, message)).toEqual({
    name: "orders/1",
    customer: { id: ERASED },
    shippingAddress: { recipient: ERASED, addressLines: [ERASED], regionCode: "DE" },
    lineItems: [{ sku: "TEA", quantity: 1 }],
    currencyCode: "EUR",
  });
  expect(createValidator().validate(OrderSchema, message).kind).toBe("valid");
  const once = toJson(OrderSchema, message);
  eraseCustomer(OrderSchema, message);
  expect(toJson(OrderSchema, message)).toEqual(once);
});

test("erasing a customer leaves fields that are not set alone", () => {
  const message = create(OrderSchema, { name: "orders/1" });
  eraseCustomer(OrderSchema, message);
  expect(toJson(OrderSchema, message)).toEqual({ name: "orders/1" });
});
