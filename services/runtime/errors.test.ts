import { Code, type ConnectError } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.js";
import {
  aborted,
  alreadyExists,
  failedPrecondition,
  internal,
  invalidArgument,
  notFound,
  outcomeUnknown,
  permissionDenied,
  reasonOf,
  resourceExhausted,
  unauthenticated,
  unavailable,
  unimplemented,
} from "./errors.ts";

const errors: [string, ConnectError, Code, string][] = [
  ["a bad field", invalidArgument([{ field: "a", description: "b" }]), Code.InvalidArgument, "INVALID_FIELD"],
  ["a missing resource", notFound("docket.dev/Order", "orders/1"), Code.NotFound, "RESOURCE_NOT_FOUND"],
  ["a wrong state", failedPrecondition("WRONG_STATE", "no", []), Code.FailedPrecondition, "WRONG_STATE"],
  ["a lost race", aborted("LOST", "again"), Code.Aborted, "LOST"],
  ["a taken key", alreadyExists("TAKEN", "there"), Code.AlreadyExists, "TAKEN"],
  ["a limit", resourceExhausted("LIMIT", "too many"), Code.ResourceExhausted, "LIMIT"],
  ["an outage", unavailable("DOWN", "later"), Code.Unavailable, "DOWN"],
  ["a lost answer", outcomeUnknown(new Error("reset")), Code.Unknown, "OUTCOME_UNKNOWN"],
  ["a missing scope", permissionDenied(["orders.read"]), Code.PermissionDenied, "PERMISSION_DENIED"],
  ["a missing credential", unauthenticated(), Code.Unauthenticated, "UNAUTHENTICATED"],
  ["a missing method", unimplemented("a.B/C"), Code.Unimplemented, "METHOD_NOT_IMPLEMENTED"],
  ["a bug", internal("request-1", new Error("secret")), Code.Internal, "INTERNAL"],
];

test.each(errors)("%s has its code, and an ErrorInfo of our domain first", (_, error, code, reason) => {
  expect(error.code).toBe(code);
  expect(error.findDetails(ErrorInfoSchema)[0]).toMatchObject({ domain: "docket", reason });
  expect(reasonOf(error)).toBe(reason);
});

test("INVALID_ARGUMENT lists every violation, in the message too", () => {
  const error = invalidArgument([
    { field: "order.lines[0].quantity", description: "must be positive" },
    { field: "order.customer", description: "is required" },
  ]);

  expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations).toMatchObject([
    { field: "order.lines[0].quantity", description: "must be positive" },
    { field: "order.customer", description: "is required" },
  ]);
  expect(error.rawMessage).toBe("order.lines[0].quantity: must be positive; order.customer: is required");
});

test("NOT_FOUND names the resource", () => {
  const error = notFound("docket.dev/Order", "orders/1");

  expect(error.findDetails(ResourceInfoSchema)[0]).toMatchObject({
    resourceType: "docket.dev/Order",
    resourceName: "orders/1",
  });
});

test("FAILED_PRECONDITION says what does not hold, and its metadata travels", () => {
  const violation = { type: "STOCK", subject: "items/a", description: "2 wanted, 1 available" };
  const error = failedPrecondition("OUT_OF_STOCK", "out of stock", [violation], { order: "orders/1" });

  expect(error.findDetails(PreconditionFailureSchema)[0]?.violations).toMatchObject([violation]);
  expect(error.findDetails(ErrorInfoSchema)[0]?.metadata).toEqual({ order: "orders/1" });
});

test("a retry delay is precise to the millisecond", () => {
  const error = aborted("BUSY", "again", { retryAfterMs: 1250.4 });

  expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay).toMatchObject({ seconds: 1n, nanos: 251_000_000 });
});

test("without a retry delay there is no RetryInfo", () => {
  expect(aborted("LOST", "again").findDetails(RetryInfoSchema)).toEqual([]);
});

test("a bug's cause is kept for the log and not exposed", () => {
  const cause = new Error("secret");
  const error = internal("request-1", cause);

  expect(error.cause).toBe(cause);
  expect(error.message).not.toContain("secret");
  expect(error.findDetails(ErrorInfoSchema)[0]?.metadata).toEqual({ request_id: "request-1" });
});

test("an error of another domain has no reason", () => {
  expect(reasonOf(new Error("x"))).toBeUndefined();
});
