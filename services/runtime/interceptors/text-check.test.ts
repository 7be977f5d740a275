import { create, fromJson } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, StructSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "@jest/globals";
import { CreateOrderRequestSchema } from "../../../gen/docket/order/v1/order_service_pb.js";
import { textViolations } from "./text-check.ts";

const anyText = { singleLines: false };
const singleLines = { singleLines: true };

test.each([
  ["\u0000", "must not contain the control character U+0000"],
  ["a\u0007b", "must not contain the control character U+0007"],
  ["a\u007f", "must not contain the control character U+007F"],
  ["\ud800", "must not contain half of a surrogate pair"],
])("%j is refused wherever it stands", (text, description) => {
  const file = create(FileDescriptorProtoSchema, {
    name: text,
    dependency: ["fine", text],
    messageType: [{ name: "Fine", field: [{ name: text }] }],
  });
  expect(textViolations(FileDescriptorProtoSchema, file, anyText)).toEqual(
    ["name", "dependency[1]", "message_type[0].field[0].name"].map((field) => ({ field, description })),
  );
});

test("keys of maps and members of oneofs are texts too", () => {
  const struct = create(StructSchema);
  struct.fields["a\u0000"] = { $typeName: "google.protobuf.Value", kind: { case: "stringValue", value: "\u0001" } };
  expect(textViolations(StructSchema, struct, anyText)).toEqual([
    { field: "fields", description: "must not contain the control character U+0000" },
    { field: 'fields["a\\u0000"].string_value', description: "must not contain the control character U+0001" },
  ]);
});

test.each(["", "a\tb", "a\r\nb", "Zoë 😀", "\u0085\u00a0\u2028"])("%j is text", (text) => {
  const struct = fromJson(StructSchema, { [text]: { list: [text] } });
  expect(textViolations(StructSchema, struct, anyText)).toEqual([]);
});

test.each([
  ["\n", "must be a single line, without the line break U+000A"],
  ["\r", "must be a single line, without the line break U+000D"],
  ["\u0085", "must be a single line, without the line break U+0085"],
  ["\u2028", "must be a single line, without the line break U+2028"],
  ["\t", "must not contain the control character U+0009"],
  ["\u009b", "must not contain the control character U+009B"],
])(
  "%j is refused in single lines, and allowed in fields of several lines and in output-only ones",
  (it, description) => {
    const text = `a${it}b`;
    const request = create(CreateOrderRequestSchema, {
      requestId: text,
      order: {
        note: text,
        attentionMessage: text,
        paymentAction: { redirectUrl: text },
        customer: { displayName: text },
        shippingAddress: { addressLines: ["1 Mill Lane", text] },
        labels: { a: text, [text]: "b" },
      },
    });
    expect(textViolations(CreateOrderRequestSchema, request, singleLines)).toEqual(
      [
        "order.customer.display_name",
        "order.shipping_address.address_lines[1]",
        'order.labels["a"]',
        "order.labels",
        "request_id",
      ].map((field) => ({ field, description })),
    );
    expect(textViolations(CreateOrderRequestSchema, request, anyText)).toEqual([]);
  },
);
