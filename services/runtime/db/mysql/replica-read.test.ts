import { expect, test } from "@jest/globals";
import { type CompiledQuery, CompiledQuery as Query, type QueryResult } from "kysely";
import { createReplicaRead, type ReadAfter } from "./replica-read.ts";

const query: CompiledQuery = Query.raw("select 1");
const { signal } = new AbortController();

/** A replica that does what `answer` says, and the places that answered. */
function reading(answer: () => "replica" | undefined) {
  const state = { nowMs: 0, places: [] as string[], asked: [] as unknown[] };
  const rows = (place: string) => {
    state.places.push(place);
    return { rows: [place] } as QueryResult<never>;
  };
  const replica: ReadAfter = async (_query, _signal, after) => {
    state.asked.push(after);
    return answer() === undefined ? undefined : rows("replica");
  };
  const read = createReplicaRead({
    primary: async () => rows("primary"),
    replica,
    position: () => "0-1-7",
    clock: { monotonicMs: () => state.nowMs },
  });
  return { state, read: () => read(query, signal) };
}

test("a read waits for its position on the replica", async () => {
  const { state, read } = reading(() => "replica");
  await read();
  expect(state.asked).toEqual([{ position: "0-1-7", waitMs: 50 }]);
  expect(state.places).toEqual(["replica"]);
});

test("a replica that is behind is avoided for a quarter of a second", async () => {
  let answer: "replica" | undefined;
  const { state, read } = reading(() => answer);
  await read();
  answer = "replica";
  state.nowMs = 249;
  await read();
  state.nowMs = 250;
  await read();
  expect(state.places).toEqual(["primary", "primary", "replica"]);
  expect(state.asked).toHaveLength(2);
});

test("a lost replica is avoided for a second, and other errors are the caller's", async () => {
  let error: unknown = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  const { state, read } = reading(() => {
    throw error;
  });
  await read();
  state.nowMs = 999;
  await read();
  expect(state.places).toEqual(["primary", "primary"]);
  expect(state.asked).toHaveLength(1);
  state.nowMs = 1_000;
  error = Object.assign(new Error("You have an error in your SQL syntax"), { errno: 1064 });
  await expect(read()).rejects.toBe(error);
  expect(state.places).toHaveLength(2);
});
