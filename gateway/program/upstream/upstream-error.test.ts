import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { describe, expect, test } from "@jest/globals";
import { ErrorInfoSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../../gen/google/rpc/status_pb.js";
import { unsendable, upstreamError } from "./upstream-error.ts";

const calm = new AbortController().signal;

function serviceError(code: status, details: string, metadata = new Metadata()): ServiceError {
  return Object.assign(new Error(`${code}: ${details}`), { code, details, metadata });
}

describe("an error of the upstream", () => {
  test.each([
    [status.UNAVAILABLE, "No connection established. Last error: connect ECONNREFUSED 10.0.0.7:9090"],
    [status.UNAVAILABLE, "Connection dropped"],
    [status.UNAVAILABLE, "read ECONNRESET"],
    [status.CANCELLED, "Call cancelled"],
    [status.RESOURCE_EXHAUSTED, "Bandwidth exhausted or memory limit exceeded"],
    [status.PERMISSION_DENIED, "Protocol not secure enough"],
    [status.INTERNAL, "Received RST_STREAM with code 2 triggered by internal client error: Session closed"],
  ])("should not expose connection failures: %d %s", (code, details) => {
    const error = upstreamError(serviceError(code, details), calm);
    expect([error.code, error.rawMessage]).toEqual([Code.Unavailable, "the upstream cannot be reached"]);
  });

  test.each([
    [status.INTERNAL, "Received RST_STREAM with code 2 (Internal server error)", "the upstream broke off the call"],
    [status.UNKNOWN, "No status information received", "the upstream broke off the call"],
    [status.DEADLINE_EXCEEDED, "Deadline exceeded after 0.05s,remote_addr=10.0.0.7:9090", "the operation timed out"],
  ])("should not repeat the library's message: %d %s", (code, details, message) => {
    const error = upstreamError(serviceError(code, details), calm);
    expect([error.code, error.rawMessage]).toEqual([code, message]);
  });

  test("should be the server's, with its details and metadata", () => {
    const info = create(ErrorInfoSchema, { reason: "TOO_BUSY", domain: "shop.example" });
    const received = create(StatusSchema, { code: 14, message: "too busy", details: [anyPack(ErrorInfoSchema, info)] });
    const metadata = new Metadata();
    metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, received)));
    metadata.set("x-queue", "7");
    const error = upstreamError(serviceError(status.UNAVAILABLE, "Channel too busy", metadata), calm);
    expect([error.code, error.rawMessage]).toEqual([Code.Unavailable, "Channel too busy"]);
    expect(error.findDetails(ErrorInfoSchema)[0]).toMatchObject({ reason: "TOO_BUSY" });
    expect([...error.metadata]).toEqual([["x-queue", "7"]]);
  });

  test("should be the reason of a cancelled call", () => {
    const abort = new AbortController();
    abort.abort(new ConnectError("the operation timed out", Code.DeadlineExceeded));
    const error = upstreamError(serviceError(status.CANCELLED, "Call cancelled"), abort.signal);
    expect([error.code, error.rawMessage]).toEqual([Code.DeadlineExceeded, "the operation timed out"]);
  });

  test("should be INTERNAL without the original message, if it is not a gRPC error", () => {
    const error = upstreamError(new TypeError("x is not a function"), calm);
    expect([error.code, error.rawMessage]).toEqual([Code.Internal, "internal error"]);
  });
});

describe("a request that cannot be encoded", () => {
  test("should name the field", () => {
    const error = unsendable(new Error("cannot encode field shop.v1.Item.sku to binary: required field not set"));
    expect([error.code, error.rawMessage]).toEqual([Code.InvalidArgument, "shop.v1.Item.sku: required field not set"]);
    expect(unsendable(new Error("boom")).rawMessage).toBe("the request has no binary form");
  });
});
