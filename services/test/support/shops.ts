import { afterAll, afterEach, beforeAll, expect } from "@jest/globals";
import type { Docket } from "../../../web-client/sdk/docket.ts";
import { auditBooks } from "./audit/books.ts";
import { looseEnds } from "./audit/loose-ends.ts";
import { stockTea } from "./shop.ts";
import { type Storage, startDocket, type TestDocket } from "./start-docket.ts";

/** A separate tenant with TEA in stock. */
export interface Shop {
  readonly docket: Docket;
  readonly key: string;
}

/** One Docket shared by the tests of a suite. */
export interface Shops {
  /** Opens a shop with this stock of TEA. Its books are audited after the test. */
  open(units?: number): Promise<Shop>;
  readonly docket: TestDocket;
  readonly storage: Storage;
}

/** Time for the books of a test to settle. */
const REST_MS = 60_000;

/** Limit of reported problems, for readability. */
const MAX_PROBLEMS = 20;

let opened = 0;

/**
 * Starts a Docket for the tests of the enclosing suite. After each test the books of its shops must settle and balance,
 * every event must have been sent, and there must be no dead letters.
 */
export function openShops(createStorage: () => Promise<Storage>, environment: Record<string, string> = {}): Shops {
  let storage: Storage;
  let docket: TestDocket;
  let shops: Shop[] = [];

  beforeAll(async () => {
    storage = await createStorage();
    docket = await startDocket(environment, storage);
  }, 60_000);
  afterEach(async () => {
    const audited = shops;
    shops = [];
    expect(await untilBalanced(audited, storage)).toEqual([]);
  }, 2 * REST_MS);
  afterAll(async () => {
    await docket?.[Symbol.asyncDispose]();
    await storage?.[Symbol.asyncDispose]();
  }, 30_000);

  return {
    async open(units = 10) {
      opened += 1;
      const shop = await docket.tenant(`shop-${opened}`);
      await stockTea(shop.docket, units);
      shops.push(shop);
      return shop;
    },
    get docket() {
      return docket;
    },
    get storage() {
      return storage;
    },
  };
}

/** Audits the books until they balance or time is up, while work in progress settles. */
async function untilBalanced(shops: readonly Shop[], storage: Storage): Promise<string[]> {
  const giveUpAt = performance.now() + REST_MS;
  for (;;) {
    const audits = await Promise.all([...shops.map(({ docket }) => auditBooks(docket)), looseEnds(storage)]);
    const problems = audits.flat();
    if (problems.length === 0 || performance.now() > giveUpAt) {
      return problems.slice(0, MAX_PROBLEMS);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
