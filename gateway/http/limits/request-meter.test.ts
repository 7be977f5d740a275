import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { type CutReason, createRequestMeter } from "./request-meter.ts";
import { defaultServerLimits } from "./server-limits.ts";

const limits = {
  ...defaultServerLimits,
  minBytesPerSecond: 100,
  rateWindowMs: 10_000,
  bodyTimeoutMs: 60_000,
  bufferedBytes: 10_000,
  bufferedBytesPerConnection: 6000,
};

describe("a request meter", () => {
  const connection = {};
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  const begin = (meter = createRequestMeter(limits), on: object = connection, isPaced?: boolean) => {
    const cuts: CutReason[] = [];
    return { message: meter.begin(on, (reason) => cuts.push(reason), isPaced), cuts, meter };
  };

  test("aborts a message of which nothing arrives", () => {
    const { cuts } = begin();
    jest.advanceTimersByTime(9000);
    expect(cuts).toEqual([]);
    jest.advanceTimersByTime(2000);
    expect(cuts).toEqual(["slow"]);
  });

  test("aborts a message that trickles after a large first part", () => {
    const { message, cuts, meter } = begin();
    message.add(5000);
    for (let second = 0; second < 21 && cuts.length === 0; second += 1) {
      message.add(1);
      jest.advanceTimersByTime(1000);
    }
    expect(cuts).toEqual(["slow"]);
    expect(meter.heldBytes).toBe(0);
  });

  test("accepts a message at the minimum rate, but not indefinitely", () => {
    const { message, cuts } = begin(
      createRequestMeter({ ...limits, bufferedBytesPerConnection: 1_000_000, bufferedBytes: 1_000_000 }),
    );
    let seconds = 0;
    for (; cuts.length === 0 && seconds < 100; seconds += 1) {
      message.add(110);
      jest.advanceTimersByTime(1000);
    }
    expect(cuts).toEqual(["slow"]);
    expect(seconds).toBe(60);
  });

  test("does not count time during which the process was blocked", () => {
    const { message, cuts } = begin();
    const now = performance.now();
    const clock = jest.spyOn(performance, "now").mockReturnValue(now + 30_000);
    jest.advanceTimersByTime(1000);
    expect(cuts).toEqual([]);
    message.add(1000);
    clock.mockReturnValue(now + 31_000);
    jest.advanceTimersByTime(1000);
    expect(cuts).toEqual([]);
    clock.mockRestore();
  });

  test("lets messages of a stream pause", () => {
    const { cuts } = begin(createRequestMeter(limits), connection, false);
    jest.advanceTimersByTime(1_000_000);
    expect(cuts).toEqual([]);
  });

  test("bounds the bytes of one connection, and of all", () => {
    const meter = createRequestMeter(limits);
    const first = begin(meter, {});
    const second = begin(meter, {});
    first.message.add(6000);
    first.message.next();
    first.message.add(6000);
    expect(first.cuts).toEqual([]);
    second.message.add(4000);
    expect(second.cuts).toEqual([]);
    second.message.add(1);
    expect(second.cuts).toEqual(["memory"]);
    expect(meter.heldBytes).toBe(6000);
    first.message.add(1);
    expect(first.cuts).toEqual(["memory"]);
    expect(meter.heldBytes).toBe(0);
  });

  test("does not count a message that has ended", () => {
    const { message, cuts, meter } = begin();
    message.add(10);
    message.end();
    message.end();
    message.add(100_000);
    jest.advanceTimersByTime(100_000);
    expect(meter.heldBytes).toBe(0);
    expect(cuts).toEqual([]);
    expect(jest.getTimerCount()).toBe(0);
  });
});
