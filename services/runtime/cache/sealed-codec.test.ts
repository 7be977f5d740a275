import { expect, test } from "@jest/globals";
import { sealedCodec } from "./sealed-codec.ts";

const plain = { encode: (value: string) => value, decode: (text: string) => text };

test("a sealed value is read with the same secret, for the same key, within a minute", () => {
  let nowMs = 1_000_000;
  const codec = sealedCodec(
    () => "secret",
    plain,
    () => nowMs,
  );
  const text = codec.encode("a.b\nc", "key");
  expect(codec.decode(text, "key")).toBe("a.b\nc");
  expect(codec.decode(text, "another key")).toBeUndefined();
  expect(
    sealedCodec(
      () => "another secret",
      plain,
      () => nowMs,
    ).decode(text, "key"),
  ).toBeUndefined();
  nowMs += 61_000;
  expect(codec.decode(text, "key")).toBeUndefined();
});

test("a changed or unsealed value is not read", () => {
  const codec = sealedCodec(() => "secret", plain);
  const text = codec.encode("orders.read", "key");
  for (const forged of [
    text.replace("read", "write"),
    "orders.read",
    "",
    ".",
    `.${text.slice(text.indexOf(".") + 1)}`,
  ]) {
    expect([forged, codec.decode(forged, "key")]).toEqual([forged, undefined]);
  }
});
