import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { DocketError } from "../errors.ts";
import { exitCodes, explain } from "./exit-code.ts";

test("an error of the API has the exit code of its kind and says what to do", () => {
  const unknownKey = new DocketError(new ConnectError("a valid credential is required", Code.Unauthenticated));
  expect(explain(unknownKey)).toEqual({
    exitCode: exitCodes.notAllowed,
    text: "UNAUTHENTICATED: a valid credential is required\n  Give a key with --key or DOCKET_API_KEY.",
  });
});

test("an error of the command itself is not taken for an unreachable server", () => {
  const mistake = new TypeError("Do not know how to serialize a BigInt");
  expect(explain(mistake)).toEqual({ exitCode: exitCodes.failed, text: mistake.message });
});
