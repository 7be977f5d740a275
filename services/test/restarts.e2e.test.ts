import { expect, test } from "@jest/globals";
import { restartUnderLoad } from "./support/restarts.ts";

/** More of them are in `bench/restarts.ts`. */
const restarts = Number(process.env["DOCKET_TEST_RESTARTS"] ?? 3);

test(`${restarts} restarts under load fail no accepted call, and end streams so that their callers can resume`, async () => {
  const report = await restartUnderLoad({ restarts, callsBetween: 100 });
  expect(report.failed).toEqual([]);
  expect(Object.keys(report.succeeded).toSorted()).toEqual(["connect", "grpc", "grpcWeb", "rest"]);
  expect(report.exitCodes.every((code) => code === 0)).toBe(true);
  expect(Math.max(...report.exitMs)).toBeLessThan(15_000);
  const seenAll = { connect: report.orders, grpc: report.orders, grpcWeb: report.orders };
  expect(report.watched).toEqual(seenAll);
  const resumable = /^(connect|grpc|grpcWeb) Unavailable: the server is shutting down|^webSocket 1013 SHUTTING_DOWN$/;
  expect(Object.keys(report.streamEnds).filter((end) => !resumable.test(end))).toEqual([]);
}, 3_600_000);
