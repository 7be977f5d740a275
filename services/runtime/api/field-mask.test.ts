import { create } from "@bufbuild/protobuf";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "@jest/globals";
import { HttpRuleSchema } from "../../../gen/google/api/http_pb.js";
import { ErrorInfoSchema, RetryInfoSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { applyPaths, updatePaths } from "./field-mask.ts";

const mask = (...paths: string[]) => create(FieldMaskSchema, { paths });
const MUTABLE = ["reason", "metadata"];

test("without a mask, what is set is changed", () => {
  const info = create(ErrorInfoSchema, { reason: "A", domain: "d" });

  expect(updatePaths(ErrorInfoSchema, info, undefined, MUTABLE)).toEqual(["reason"]);
  expect(updatePaths(ErrorInfoSchema, info, mask(), MUTABLE)).toEqual(["reason"]);
});

test("a star is everything that may be changed", () => {
  expect(updatePaths(ErrorInfoSchema, create(ErrorInfoSchema), mask("*"), MUTABLE)).toEqual(MUTABLE);
});

test("paths come in the order of what may be changed, once each", () => {
  const paths = mask("metadata", "reason", "metadata");

  expect(updatePaths(ErrorInfoSchema, create(ErrorInfoSchema), paths, MUTABLE)).toEqual(MUTABLE);
});

test("the path above several stands for them", () => {
  const paths = updatePaths(HttpRuleSchema, create(HttpRuleSchema), mask("custom"), [
    "custom.kind",
    "custom.path",
    "get",
  ]);

  expect(paths).toEqual(["custom.kind", "custom.path"]);
});

test("one key of a map can be changed", () => {
  const info = create(ErrorInfoSchema);

  expect(updatePaths(ErrorInfoSchema, info, mask("metadata.a.b"), MUTABLE)).toEqual(["metadata.a.b"]);
  expect(updatePaths(ErrorInfoSchema, info, mask("metadata.a", "metadata"), MUTABLE)).toEqual(["metadata"]);
});

test.each([
  [["domain", "nonsense"], "domain may not be changed; the fields that can be changed are reason, metadata"],
  [["reason.x"], "reason.x may not be changed"],
  [["metadata."], "metadata. may not be changed"],
  [["*", "reason"], "* must be the only path"],
])("the mask %j is refused", (paths, message) => {
  expect(() => updatePaths(ErrorInfoSchema, create(ErrorInfoSchema), mask(...paths), MUTABLE)).toThrow(message);
});

test("an update copies, clears and leaves alone", () => {
  const target = create(ErrorInfoSchema, { reason: "OLD", domain: "kept", metadata: { a: "1" } });
  const source = create(ErrorInfoSchema, { domain: "not copied", metadata: { b: "2" } });

  const updated = applyPaths(ErrorInfoSchema, target, source, ["reason", "metadata"]);

  expect(updated).toEqual(create(ErrorInfoSchema, { reason: "", domain: "kept", metadata: { b: "2" } }));
  expect(target.reason).toBe("OLD");
});

test("an update of a key sets or removes that entry", () => {
  const target = create(ErrorInfoSchema, { metadata: { a: "1", b: "2", "c.d": "3" } });
  const source = create(ErrorInfoSchema, { metadata: { a: "9", x: "8" } });

  const updated = applyPaths(ErrorInfoSchema, target, source, ["metadata.a", "metadata.b"]);

  expect(updated.metadata).toEqual({ a: "9", "c.d": "3" });
});

test("an update reaches into a message that is not there yet", () => {
  const source = create(HttpRuleSchema, { pattern: { case: "custom", value: { kind: "HEAD", path: "/x" } } });

  const updated = applyPaths(HttpRuleSchema, create(HttpRuleSchema), source, ["custom.path"]);

  expect(updated.pattern).toMatchObject({ case: "custom", value: { kind: "", path: "/x" } });
});

test("clearing inside a message that is not there leaves it away", () => {
  const updated = applyPaths(RetryInfoSchema, create(RetryInfoSchema), create(RetryInfoSchema), [
    "retry_delay.seconds",
  ]);

  expect(updated).toEqual(create(RetryInfoSchema));
});

test("what changes the copy later does not change the source", () => {
  const source = create(ErrorInfoSchema, { metadata: { a: "1" } });

  const updated = applyPaths(ErrorInfoSchema, create(ErrorInfoSchema), source, ["metadata"]);
  updated.metadata["a"] = "2";

  expect(source.metadata["a"]).toBe("1");
});
