import type { JsonValue } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import { testMessage } from "../test/support/test-api.ts";
import { parseText } from "./scalar-text.ts";

const good: [field: string, text: string, json: JsonValue][] = [
  ["string_field", "", ""],
  ["string_field", "a b", "a b"],
  ["bool_field", "true", true],
  ["bool_field", "false", false],
  ["int32_field", "-2147483648", "-2147483648"],
  ["int32_field", "2147483647", "2147483647"],
  ["uint32_field", "4294967295", "4294967295"],
  ["int64_field", "-9223372036854775808", "-9223372036854775808"],
  ["uint64_field", "18446744073709551615", "18446744073709551615"],
  ["double_field", "1e308", 1e308],
  ["double_field", "NaN", "NaN"],
  ["double_field", "-Infinity", "-Infinity"],
  ["float_field", "1.5", 1.5],
  ["bytes_field", "+/8=", "+/8="],
  ["bytes_field", "-_8", "-_8"],
  ["enum_field", "KIND_NOVEL", "KIND_NOVEL"],
  ["enum_field", "2", 2],
  ["enum_field", "7", 7],
  ["enum_field", "-2147483648", -2147483648],
  ["null_value", "null", null],
  ["timestamp", "2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"],
  ["duration", "1.5s", "1.5s"],
  ["field_mask", "a.b_c,dE", "a.bC,dE"],
  ["struct", '{"a":[1]}', { a: [1] }],
  ["value", "[1]", [1]],
  ["int64_value", "9", "9"],
  ["bool_value", "true", true],
  ["string_value", "x", "x"],
];

const bad: [field: string, text: string, description: string][] = [
  ["bool_field", "1", 'expected true or false, got "1"'],
  ["bool_field", "True", 'expected true or false, got "True"'],
  ["int32_field", "2147483648", "2147483648 is not between -2147483648 and 2147483647"],
  ["int32_field", "1.0", 'expected an integer, got "1.0"'],
  ["int32_field", "+1", 'expected an integer, got "+1"'],
  ["int32_field", "", 'expected an integer, got ""'],
  ["uint32_field", "-1", "-1 is not between 0 and 4294967295"],
  [
    "int64_field",
    "9223372036854775808",
    "9223372036854775808 is not between -9223372036854775808 and 9223372036854775807",
  ],
  ["float_field", "1e39", 'expected a number, got "1e39"'],
  ["double_field", "1e309", 'expected a number, got "1e309"'],
  ["double_field", "nan", 'expected a number, got "nan"'],
  ["double_field", "0x10", 'expected a number, got "0x10"'],
  ["bytes_field", "a", "expected base64 or base64url"],
  ["bytes_field", "a=b", "expected base64 or base64url"],
  ["bytes_field", "abc==", "expected base64 or base64url"],
  ["enum_field", "KIND_NONE", '"KIND_NONE" is not a value of gateway.test.v1.Kind'],
  ["enum_field", "2147483648", '"2147483648" is not a value of gateway.test.v1.Kind'],
  ["enum_field", "kind_novel", '"kind_novel" is not a value of gateway.test.v1.Kind'],
  ["struct", "{", "expected JSON"],
  ["nested", "x", "is a message (gateway.test.v1.Nested): set its fields one by one"],
  ["any", "x", "cannot be set from text"],
];

describe("parseText", () => {
  const field = (name: string) => {
    const found = testMessage("Everything").fields.find((field) => field.name === name);
    if (found === undefined) throw new Error(name);
    return found;
  };
  test.each(good)("should read %s from %p", (name, text, json) => {
    expect(parseText(field(name), text)).toEqual({ json });
  });
  test.each(bad)("should refuse %s from %p: %s", (name, text, description) => {
    expect(parseText(field(name), text)).toEqual({ description });
  });
});
