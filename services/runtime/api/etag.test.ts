import { expect, test } from "@jest/globals";
import { reasonOf } from "../errors.ts";
import { checkEtag, etagOf } from "./etag.ts";

test("the etag of a version is accepted for it, strong or weak", () => {
  expect(() => checkEtag(etagOf(41), 41)).not.toThrow();
  expect(() => checkEtag(`W/${etagOf(41)}`, 41)).not.toThrow();
});

test.each(["", "*"])("%j asks for no check", (etag) => {
  expect(() => checkEtag(etag, 7)).not.toThrow();
});

test.each([etagOf(40), "41", "nonsense"])("%s is refused for version 41", (etag) => {
  let error: unknown;
  try {
    checkEtag(etag, 41);
  } catch (thrown) {
    error = thrown;
  }
  expect(reasonOf(error)).toBe("ETAG_MISMATCH");
});

test("versions have different etags", () => {
  expect(new Set(Array.from({ length: 1000 }, (_, version) => etagOf(version))).size).toBe(1000);
});
