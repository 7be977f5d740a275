import { Code, ConnectError, createContextValues } from "@connectrpc/connect";
import { afterEach, expect, jest, test } from "@jest/globals";
import { libraryMethods, testSpec } from "../test/support/test-api.ts";
import { beginCall, type CallInit } from "./call-context.ts";
import { type Cancellation, callerSignal, signalsOf } from "./cancellation.ts";

const spec = testSpec("Library", libraryMethods()).methods["getBook"];

function begin(init: Partial<CallInit> = {}) {
  if (spec === undefined) throw new Error("the test API has no GetBook");
  const given = { protocolName: "rest", url: "/", requestHeader: () => new Headers(), timeoutMs: undefined };
  return beginCall(spec.method, { ...given, ...init });
}

afterEach(() => {
  jest.useRealTimers();
});

test("headers, values and signal are created on first access, once", () => {
  const requestHeader = jest.fn(() => new Headers({ a: "1" }));
  const values = jest.fn(createContextValues);
  const call = begin({ requestHeader, values });
  expect([requestHeader.mock.calls, values.mock.calls]).toEqual([[], []]);
  expect([call.touchedHeader(), call.touchedTrailer()]).toEqual([undefined, undefined]);
  expect(call.requestHeader).toBe(call.requestHeader);
  expect(call.values).toBe(call.values);
  expect(call.signal).toBe(call.signal);
  expect(call.responseHeader).toBe(call.touchedHeader());
  expect([requestHeader.mock.calls.length, values.mock.calls.length]).toEqual([1, 1]);
});

test("a cancellation is watched only while the signal is in use", () => {
  const watched: string[] = [];
  const cancellation: Cancellation = {
    check: () => watched.push("check"),
    watch: () => {
      watched.push("watch");
      return () => watched.push("stop");
    },
  };
  const idle = begin({ cancellation });
  idle.finish();
  expect(watched).toEqual([]);
  const call = begin({ cancellation });
  expect(call.signal.aborted).toBe(false);
  expect(watched).toEqual(["check", "watch"]);
  call.finish();
  expect(watched).toEqual(["check", "watch", "stop"]);
  expect(call.signal.aborted).toBe(true);
});

test("a cancellation that came before is found without a signal", () => {
  const reason = new ConnectError("the server stops", Code.Unavailable);
  const call = begin({ cancellation: signalsOf([undefined, AbortSignal.abort(reason)]) });
  expect(call.hasEnded).toBe(false);
  expect(call.aborted()).toBe(reason);
  expect(call.hasEnded).toBe(true);
  expect(call.signal.reason).toBe(reason);
});

test.each([
  ["its own deadline", new DOMException("", "TimeoutError"), Code.DeadlineExceeded],
  ["an error of an RPC", new ConnectError("", Code.Unavailable), Code.Unavailable],
  ["anything else", "enough", Code.Canceled],
])("a caller in the process that aborts by %s", (_, reason, code) => {
  const caller = new AbortController();
  const { signal } = begin({ cancellation: callerSignal(caller.signal) });
  caller.abort(reason);
  expect(signal.reason).toMatchObject({ code });
});

test("the deadline aborts the call, by the monotonic clock", () => {
  jest.useFakeTimers();
  const call = begin({ timeoutMs: 100 });
  jest.setSystemTime(Date.now() + 3_600_000);
  expect(call.timeoutMs()).toBe(100);
  expect(call.signal.aborted).toBe(false);
  jest.advanceTimersByTime(100);
  expect(call.timeoutMs()).toBe(0);
  expect(call.signal.reason).toMatchObject({ code: Code.DeadlineExceeded });
});

test("a deadline in the past aborts at once, and one beyond Node's timers never", () => {
  jest.useFakeTimers();
  expect(begin({ timeoutMs: 0 }).hasEnded).toBe(true);
  const call = begin({ timeoutMs: 2 ** 40 });
  jest.advanceTimersByTime(1000);
  expect(call.hasEnded).toBe(false);
});

test("the first reason stays", () => {
  const call = begin();
  call.abort("first");
  call.abort("second");
  call.finish();
  expect(call.aborted()).toBe("first");
});
