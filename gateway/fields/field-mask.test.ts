import { describe, expect, test } from "@jest/globals";
import { testMessage } from "../test/support/test-api.ts";
import { parseMask } from "./field-mask.ts";

describe("a mask written as text", () => {
  test.each([
    ["", []],
    ["title,publisher.street_line", ["title", "publisher.street_line"]],
    ["publisher.streetLine,publishTime", ["publisher.street_line", "publish_time"]],
    ["*", ["*"]],
  ])("should use the names of the message that it applies to: %j", (text, paths) => {
    expect(parseMask(text, testMessage("Book"))).toEqual(paths);
  });

  test.each([
    ["a.b_c,dE", ["a.b_c", "d_e"]],
    ["Num,STATUS,en_GB", ["Num", "STATUS", "en_GB"]],
  ])("should keep names without a JSON form if the message is unknown: %j", (text, paths) => {
    expect(parseMask(text, undefined)).toEqual(paths);
  });
});
