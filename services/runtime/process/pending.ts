import { callSite } from "./creation-sites.ts";

/** One in so many promises is asked where it was made. */
const sampling = 16;

interface Pool {
  count: number;
  /** Sampled ones by the place that added them. */
  readonly sites: Map<string, number>;
}

const pools = new Map<string, Pool>();

/** Counts unsettled promises under a name, for the leak watch. Pools of the same name are counted together. */
export function countPending(name: string): <T>(promise: Promise<T>) => Promise<T> {
  const pool = pools.get(name) ?? { count: 0, sites: new Map() };
  pools.set(name, pool);
  let added = 0;
  return (promise) => {
    const site = added++ % sampling === 0 ? callSite() : undefined;
    change(pool, site, 1);
    const settled = () => change(pool, site, -1);
    promise.then(settled, settled);
    return promise;
  };
}

/** The number of unsettled promises of all pools. */
export function pendingCount(): number {
  return [...pools.values()].reduce((sum, { count }) => sum + count, 0);
}

/** The fullest pools with the place that added most: `sagas ×40 (services/…/runner.ts:12)`. */
export function describePending(): string {
  return [...pools]
    .filter(([, { count }]) => count > 0)
    .sort(([, a], [, b]) => b.count - a.count)
    .slice(0, 3)
    .map(([name, { count, sites }]) => {
      const [site = "an unknown place"] = [...sites].sort(([, a], [, b]) => b - a)[0] ?? [];
      return `${name} ×${count} (${site})`;
    })
    .join(", ");
}

function change(pool: Pool, site: string | undefined, by: 1 | -1): void {
  pool.count += by;
  if (site !== undefined) {
    const left = (pool.sites.get(site) ?? 0) + by;
    left === 0 ? pool.sites.delete(site) : pool.sites.set(site, left);
  }
}
