import { unavailable } from "../errors.ts";

/** A command that waits for its batch. */
export interface Waiting {
  /** Commands of one tenant keep their order; tenants take turns. */
  readonly tenant: string;
  readonly needs: { readonly size: number };
  /** Whether the command was withdrawn; it is then skipped. */
  withdrawn: boolean;
}

export interface QueueLimits {
  /** Most waiting commands. */
  readonly maxWaiting: number;
  /** Most commands per batch. */
  readonly maxCommands: number;
  /** Most keys per batch. A single command with more runs in its own batch. */
  readonly maxKeys: number;
}

/** The commands that wait for a batch. */
export interface Queue<Item extends Waiting> {
  readonly length: number;
  /** Throws UNAVAILABLE, reason OVERLOADED, if the queue is full, or half full of this tenant's commands. */
  add(item: Item): void;
  /** Removes the next batch: one command of each tenant in turn. Empty if all that waited were withdrawn. */
  take(): Item[];
}

export function createQueue<Item extends Waiting>({ maxWaiting, maxCommands, maxKeys }: QueueLimits): Queue<Item> {
  /** By tenant, in the order of their turns. */
  const lanes = new Map<string, Item[]>();
  const maxPerTenant = Math.ceil(maxWaiting / 2);
  let length = 0;

  return {
    get length() {
      return length;
    },
    add(item) {
      const lane = lanes.get(item.tenant) ?? [];
      if (length >= maxWaiting || lane.length >= maxPerTenant) {
        throw unavailable("OVERLOADED", "Too many changes are waiting for the database; repeat the request later.");
      }
      lane.push(item);
      length += 1;
      lanes.set(item.tenant, lane);
    },
    take() {
      const batch: Item[] = [];
      const taken = new Map<string, number>();
      let keys = 0;
      /** Returns false if the next command does not fit in the batch. */
      const takeNext = (tenant: string, lane: readonly Item[]): boolean => {
        let at = taken.get(tenant) ?? 0;
        while (lane[at]?.withdrawn) {
          at += 1;
        }
        const next = lane[at];
        const fits = batch.length === 0 || next === undefined || keys + next.needs.size <= maxKeys;
        if (fits && next !== undefined) {
          batch.push(next);
          keys += next.needs.size;
          at += 1;
        }
        taken.set(tenant, at);
        return fits;
      };
      let open = [...lanes];
      while (open.length > 0 && batch.length < maxCommands) {
        open = open.filter(
          ([tenant, lane]) =>
            batch.length < maxCommands && takeNext(tenant, lane) && (taken.get(tenant) ?? 0) < lane.length,
        );
      }
      for (const [tenant, count] of taken) {
        const rest = lanes.get(tenant)?.slice(count) ?? [];
        // Tenants that were served go to the end.
        lanes.delete(tenant);
        if (rest.length > 0) {
          lanes.set(tenant, rest);
        }
        length -= count;
      }
      return batch;
    },
  };
}
