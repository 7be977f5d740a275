import { expect, test } from "@jest/globals";
import { routesOf } from "../routing/http-rules.ts";
import { testMessage, testService } from "../test/support/test-api.ts";
import { jsonFieldNames, restFieldNames } from "./field-names.ts";

const bindingAt = (path: string) => {
  const routes = testService("Echo").methods.flatMap((method) => routesOf(method));
  const route = routes.find(({ template }) => template.source === path);
  if (route === undefined) throw new Error(`nothing is served at ${path}`);
  return restFieldNames(route);
};

test.each([
  ["string_field", "stringField"],
  ["nested.child.name", "nested.child.name"],
  ["repeated_nested[3].child", "repeatedNested[3].child"],
  ["repeated_nested.name", "repeatedNested.name"],
  ['nested_map["a.b\\"]"].name', 'nestedMap["a.b\\"]"].name'],
  ["int32_map[-7]", "int32Map[-7]"],
  ["stringField", "stringField"],
])("JSON names %s %s", (path, name) => {
  expect(jsonFieldNames(testMessage("Everything"))(path)).toBe(name);
});

test.each([
  "",
  "zzz",
  "nested.zzz",
  "string_field.x",
  "string_field[0]",
  "nested.",
  "nested..name",
  "the shelf",
  "nested[0",
])("JSON has no name for %j", (path) => {
  expect(jsonFieldNames(testMessage("Everything"))(path)).toBeUndefined();
});

test.each([
  ["/echo", "nested.child.name", "nested.child.name"],
  ["/echo:nested", "nested.child.name", "child.name"],
  ["/echo:nested", "string_field", "stringField"],
  ["/echo:nested", "nested", ""],
  ["/echo:list", "repeated_nested[2].name", "[2].name"],
  ["/echo:list", "repeated_nested[2]", "[2]"],
  ["/echo:map", 'string_map["a"]', '["a"]'],
])("at %s REST names %s %j", (at, path, name) => {
  expect(bindingAt(at)(path)).toBe(name);
});
