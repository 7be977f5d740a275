import { describe, expect, test } from "@jest/globals";
import { callHeaders, replyHeaders } from "./raw-headers.ts";

describe("forwarded headers", () => {
  test("of a call are its metadata, deadline and compression, without those of HTTP and of the gateway's own hop", () => {
    const parsed = {
      ":path": "/a.B/C",
      host: "gateway",
      te: "trailers",
      "content-type": "application/grpc+proto",
      "content-length": "5",
      "grpc-timeout": "1S",
      "grpc-encoding": "zstd",
      "grpc-accept-encoding": "zstd",
      "grpc-previous-rpc-attempts": "1",
      origin: "https://shop.example",
      "user-agent": "grpc-go/1",
      "x-key-bin": "AP8=",
    };
    expect(callHeaders({ raw: Object.entries(parsed).flat(), parsed })).toEqual({
      "content-type": "application/grpc+proto",
      "grpc-timeout": "1S",
      "grpc-encoding": "zstd",
      "grpc-accept-encoding": "zstd",
      "user-agent": "grpc-go/1",
      "x-key-bin": "AP8=",
    });
  });

  test("are repeated as received, except those that Node sends once", () => {
    const raw = [
      "x-two",
      "1",
      "etag",
      "a",
      "x-two",
      "2, 3",
      "etag",
      "b",
      "x-two",
      "4",
      "date",
      "now",
      ":status",
      "200",
    ];
    const parsed = { "x-two": "1, 2, 3, 4", etag: "a", date: "now", ":status": "200" };
    expect(replyHeaders({ raw, parsed })).toEqual({ "x-two": ["1", "2, 3", "4"], etag: "a" });
  });
});
