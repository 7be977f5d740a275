import { expect, test } from "@jest/globals";
import { type BackgroundWork, createJobTable, type JobRow } from "./job-table.ts";

/** Rows whose work records what is done with it. Draining takes a turn of the event loop. */
function recordingRows(events: string[]) {
  const recording = (name: string): BackgroundWork => ({
    everyMs: 1,
    start: () => void events.push(`start ${name}`),
    runDue: async () => events.push(`run ${name}`) > 0,
    async drain() {
      events.push(`drain ${name}`);
      await new Promise((resolve) => setTimeout(resolve, 1));
      events.push(`drained ${name}`);
    },
    [Symbol.asyncDispose]: async () => void events.push(`dispose ${name}`),
  });
  const row = (name: string): JobRow => ({ name, does: `Does ${name}.`, work: recording(name) });
  return { row, rows: [{ ...row("outbox"), drainsLast: true }, row("sagas"), row("retention")] };
}

test("jobs are started in order, drained before the one that they give work to, and disposed of in reverse", async () => {
  const events: string[] = [];
  const { rows } = recordingRows(events);
  const table = createJobTable(rows);
  table.start();
  expect(events.splice(0)).toEqual(["start outbox", "start sagas", "start retention"]);
  await table.drain();
  expect(events.splice(0)).toEqual([
    ...["drain sagas", "drain retention", "drained sagas", "drained retention"],
    ...["drain outbox", "drained outbox"],
  ]);
  await table[Symbol.asyncDispose]();
  expect(events.splice(0)).toEqual(["dispose retention", "dispose sagas", "dispose outbox"]);
});

test("each job can be run on demand by its name", async () => {
  const events: string[] = [];
  const { due } = createJobTable(recordingRows(events).rows);
  expect(Object.keys(due)).toEqual(["outbox", "sagas", "retention"]);
  expect(await due["sagas"]?.(new AbortController().signal)).toBe(true);
  expect(events).toEqual(["run sagas"]);
});

test("two jobs of one name are refused", () => {
  const { row } = recordingRows([]);
  expect(() => createJobTable([row("sagas"), row("sagas")])).toThrow('two jobs are named "sagas"');
});
