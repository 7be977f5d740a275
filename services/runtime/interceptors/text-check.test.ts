import { create, fromJson } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, StructSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "@jest/globals";
import { textViolations } from "./text-check.ts";

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
  expect(textViolations(FileDescriptorProtoSchema, file)).toEqual(
    ["name", "dependency[1]", "message_type[0].field[0].name"].map((field) => ({ field, description })),
  );
});

test("keys of maps and members of oneofs are texts too", () => {
  const struct = create(StructSchema);
  struct.fields["a\u0000"] = { $typeName: "google.protobuf.Value", kind: { case: "stringValue", value: "\u0001" } };
  expect(textViolations(StructSchema, struct)).toEqual([
    { field: "fields", description: "must not contain the control character U+0000" },
    { field: 'fields["a\\u0000"].string_value', description: "must not contain the control character U+0001" },
  ]);
});

test.each(["", "a\tb", "a\r\nb", "Zoë 😀", "\u0085\u00a0\u2028"])("%j is text", (text) => {
  const struct = fromJson(StructSchema, { [text]: { list: [text] } });
  expect(textViolations(StructSchema, struct)).toEqual([]);
});
