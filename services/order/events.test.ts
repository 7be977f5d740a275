import { create, type DescField, type DescMessage, type Message } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { expect, test } from "@jest/globals";
import { OrderSchema } from "../../gen/docket/order/v1/order_pb.js";
import { isPersonal } from "../runtime/api/personal-fields.ts";
import { publicOrder } from "./events.ts";

const mark = "personal-mark";

/**
 * Sets the mark in every text of the message that is marked as personal, at every depth, and returns the number of
 * texts.
 */
function plant(schema: DescMessage, message: Message): number {
  const reflected = reflect(schema, message);
  let planted = 0;
  const fill = (field: DescField) => {
    if (field.fieldKind === "message") {
      const inner = create(field.message);
      const count = plant(field.message, inner);
      if (count > 0) {
        reflected.set(field, reflect(field.message, inner));
      }
      planted += count;
    } else if (isPersonal(field)) {
      if (field.fieldKind === "list") {
        reflected.get(field).add(mark);
      } else {
        reflected.set(field, mark);
      }
      planted += 1;
    }
  };
  schema.fields.filter(({ message: inner }) => inner !== schema).forEach(fill);
  return planted;
}

test("events of an order carry no secret and no field marked as personal data", () => {
  const order = create(OrderSchema, {
    name: "orders/1",
    customer: { id: "c1" },
    paymentAction: { clientSecret: "sbx_secret", redirectUrl: "https://example.org/sbx_secret" },
  });
  expect(plant(OrderSchema, order)).toBeGreaterThan(8);
  expect(JSON.stringify(order)).toContain(mark);
  const shown = publicOrder(order);
  expect(JSON.stringify(shown)).not.toMatch(/personal-mark|sbx_secret/);
  expect(shown.name).toBe("orders/1");
});
