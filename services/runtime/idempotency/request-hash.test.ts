import { create } from "@bufbuild/protobuf";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { CreateOrderRequestSchema } from "../../../gen/docket/order/v1/order_service_pb.js";
import { ErrorInfoSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { hashRequest } from "./request-hash.ts";

test("the order of a map's entries does not matter", () => {
  const key = fc.string({ minLength: 1, unit: "binary" }).filter((it) => it !== "__proto__");
  fc.assert(
    fc.property(fc.dictionary(key, fc.string()), (metadata) => {
      const reversed = Object.fromEntries(Object.entries(metadata).reverse());
      expect(hashRequest(ErrorInfoSchema, create(ErrorInfoSchema, { metadata: reversed }), "")).toBe(
        hashRequest(ErrorInfoSchema, create(ErrorInfoSchema, { metadata }), ""),
      );
    }),
  );
});

test("the key, the wait and the dry run do not matter, anything else does", () => {
  const order = { externalId: "A-1", labels: { b: "2", a: "1" } };
  const request = create(CreateOrderRequestSchema, { order });
  const hash = hashRequest(CreateOrderRequestSchema, request, "");
  const again = {
    order: { ...order, labels: { a: "1", b: "2" } },
    requestId: "k",
    validateOnly: true,
    wait: { seconds: 1n },
  };
  const other = { order: { ...order, labels: { a: "2", b: "2" } } };

  expect(hashRequest(CreateOrderRequestSchema, create(CreateOrderRequestSchema, again), "")).toBe(hash);
  expect(hashRequest(CreateOrderRequestSchema, create(CreateOrderRequestSchema, other), "")).not.toBe(hash);
});

test("the request itself is left as it is", () => {
  const request = create(CreateOrderRequestSchema, { requestId: "k" });

  hashRequest(CreateOrderRequestSchema, request, "");

  expect(request.requestId).toBe("k");
});
