import { expect, test } from "@jest/globals";
import { reasonOf } from "../errors.ts";
import { createQueue, type Waiting } from "./queue.ts";

interface Item extends Waiting {
  readonly id: string;
}

const item = (tenant: string, id: string, size = 1): Item => ({ tenant, id, needs: { size }, withdrawn: false });
const limits = { maxWaiting: 100, maxCommands: 4, maxKeys: 100 };
const idsOf = (items: readonly Item[]) => items.map(({ id }) => id);

test("commands of one tenant are taken in order, as many as a batch holds", () => {
  const queue = createQueue<Item>(limits);
  for (const id of ["1", "2", "3", "4", "5"]) {
    queue.add(item("a", id));
  }
  expect(idsOf(queue.take())).toEqual(["1", "2", "3", "4"]);
  expect(queue.length).toBe(1);
  expect(idsOf(queue.take())).toEqual(["5"]);
  expect(queue.take()).toEqual([]);
});

test("tenants take turns, so that one with many commands does not hold up the others", () => {
  const queue = createQueue<Item>(limits);
  for (let n = 1; n <= 6; n++) {
    queue.add(item("a", `a${n}`));
  }
  queue.add(item("b", "b1"));
  queue.add(item("c", "c1"));
  expect(idsOf(queue.take())).toEqual(["a1", "b1", "c1", "a2"]);
  queue.add(item("b", "b2"));
  expect(idsOf(queue.take())).toEqual(["a3", "b2", "a4", "a5"]);
});

test("more tenants than a batch has commands are all served before one is served twice", () => {
  const queue = createQueue<Item>(limits);
  for (const tenant of ["a", "b", "c", "d", "e", "f"]) {
    queue.add(item(tenant, `${tenant}1`));
    queue.add(item(tenant, `${tenant}2`));
  }
  expect(idsOf(queue.take())).toEqual(["a1", "b1", "c1", "d1"]);
  expect(idsOf(queue.take())).toEqual(["e1", "f1", "a2", "b2"]);
  expect(idsOf(queue.take())).toEqual(["c2", "d2", "e2", "f2"]);
});

test("a batch ends before it has too many keys, and a command with more is alone", () => {
  const queue = createQueue<Item>({ ...limits, maxKeys: 10 });
  queue.add(item("a", "1", 6));
  queue.add(item("a", "2", 6));
  queue.add(item("a", "3", 50));
  queue.add(item("a", "4", 1));
  expect(idsOf(queue.take())).toEqual(["1"]);
  expect(idsOf(queue.take())).toEqual(["2"]);
  expect(idsOf(queue.take())).toEqual(["3"]);
  expect(idsOf(queue.take())).toEqual(["4"]);
});

test("withdrawn commands are skipped and take no room in a batch", () => {
  const queue = createQueue<Item>(limits);
  const items = ["1", "2", "3", "4", "5", "6"].map((id) => item("a", id));
  for (const it of items) {
    queue.add(it);
  }
  for (const it of items.slice(0, 2)) {
    it.withdrawn = true;
  }
  expect(idsOf(queue.take())).toEqual(["3", "4", "5", "6"]);
  expect(queue.length).toBe(0);
});

test("a full queue refuses commands, and those of one tenant when half of it is that tenant's", () => {
  const queue = createQueue<Item>({ ...limits, maxWaiting: 10 });
  const fill = (tenant: string) => {
    for (let n = 1; n <= 5; n++) {
      queue.add(item(tenant, `${n}`));
    }
  };
  const refusalOf = (tenant: string) => {
    try {
      queue.add(item(tenant, "more"));
      return undefined;
    } catch (error) {
      return reasonOf(error);
    }
  };
  fill("a");
  expect(refusalOf("a")).toBe("OVERLOADED");
  fill("b");
  expect(refusalOf("c")).toBe("OVERLOADED");
  queue.take();
  expect(refusalOf("c")).toBeUndefined();
});
