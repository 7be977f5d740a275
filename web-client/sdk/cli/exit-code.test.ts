import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { BadRequestSchema, PreconditionFailureSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { DocketError, toDocketError } from "../errors.ts";
import { exitCodes, explain } from "./exit-code.ts";

const url = "http://127.0.0.1:1";

test("an API error has the exit code of its kind and says what to do", () => {
  const unknownKey = new DocketError(new ConnectError("a valid credential is required", Code.Unauthenticated));
  expect(explain(unknownKey, url)).toEqual({
    exitCode: exitCodes.notAllowed,
    text: "UNAUTHENTICATED: a valid credential is required\n  Give a key with --key or DOCKET_API_KEY.",
  });
});

test("an error of the command itself is not reported as an unreachable server", () => {
  const mistake = new TypeError("Do not know how to serialize a BigInt");
  expect(explain(mistake, url)).toEqual({ exitCode: exitCodes.failed, text: mistake.message });
});

test("a server that cannot be reached is named, with the reason", () => {
  const refused = new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED 127.0.0.1:1") });
  expect(explain(toDocketError(refused), url)).toEqual({
    exitCode: exitCodes.unavailable,
    text:
      "UNAVAILABLE: cannot reach http://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1\n" +
      "  Is Docket running there? Say where with --url or DOCKET_URL.",
  });
});

test("each message is printed once", () => {
  const detailed = (message: string, ...fieldViolations: { field: string; description: string }[]) =>
    explain(
      new DocketError(
        asReceived(
          new ConnectError(message, Code.InvalidArgument, undefined, [
            { desc: BadRequestSchema, value: { fieldViolations } },
          ]),
        ),
      ),
      url,
    ).text;
  const sku = { field: "sku", description: "is empty" };
  expect(detailed("sku: is empty", sku)).toBe("INVALID_ARGUMENT: sku: is empty");
  expect(detailed("sku: is empty; title: is long", sku, { field: "title", description: "is long" })).toBe(
    "INVALID_ARGUMENT\n  sku: is empty\n  title: is long",
  );
  const precondition = new ConnectError("orders/1: the order is EXPIRED", Code.FailedPrecondition, undefined, [
    {
      desc: PreconditionFailureSchema,
      value: { violations: [{ type: "ORDER_STATE", subject: "orders/1", description: "the order is EXPIRED" }] },
    },
  ]);
  expect(explain(new DocketError(asReceived(precondition)), url).text).toBe(
    "FAILED_PRECONDITION: orders/1: the order is EXPIRED",
  );
});

/** The error as a client receives it, with serialized details. */
function asReceived(error: ConnectError): ConnectError {
  error.details = error.details.map((detail) =>
    "desc" in detail
      ? { type: detail.desc.typeName, value: toBinary(detail.desc, create(detail.desc, detail.value)) }
      : detail,
  );
  return error;
}
