import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "@jest/globals";
import { Order_State, OrderSchema, PaymentState } from "../../gen/docket/order/v1/order_pb.js";
import { BadRequestSchema } from "../../gen/google/rpc/error_details_pb.js";
import { money } from "./money.ts";
import { plain } from "./plain.ts";

test("enums are names, and amounts and times are as in REST", () => {
  const order = create(OrderSchema, {
    name: "orders/1",
    state: Order_State.CONFIRMED,
    paymentState: PaymentState.PAID,
    total: money("EUR", "4.50"),
    createTime: timestampFromMs(0),
  });
  const expected = {
    name: "orders/1",
    state: "CONFIRMED",
    paymentState: "PAID",
    total: { currencyCode: "EUR", units: "4", nanos: 500_000_000 },
    createTime: "1970-01-01T00:00:00Z",
  };
  expect(plain(order)).toEqual(expected);
  expect(JSON.parse(JSON.stringify(plain(order)))).toEqual(expected);
});

test("rejects a message of another API", () => {
  expect(() => plain(create(BadRequestSchema))).toThrow("is not a message of Docket");
});
