import { createHook } from "node:async_hooks";

/** Samples where resources of Node are created that still exist. Costs nothing until it is started. */
export interface CreationSites {
  start(): void;
  /** Stops sampling and forgets. */
  stop(): void;
  /** The places where most of the sampled resources of these types were created, with their number. */
  top(types: readonly string[]): readonly (readonly [site: string, count: number])[];
}

/** Types of `async_hooks` that can leak, and that code of ours or of a package creates. */
const watched = new Set([
  "Timeout",
  "TCPWRAP",
  "PIPEWRAP",
  "TLSWRAP",
  "UDPWRAP",
  "PROCESSWRAP",
  "WORKER",
  "FSEVENTWRAP",
]);
/** After the first ones, one in so many is looked at. */
const keepAll = 1_000;
const thinning = 16;
const maxKept = 10_000;
const maxShown = 3;

export function createCreationSites(): CreationSites {
  const alive = new Map<number, { readonly type: string; readonly site: string }>();
  let seen = 0;
  const hook = createHook({
    trackPromises: false,
    init(id, type) {
      if (watched.has(type) && alive.size < maxKept && (seen++ < keepAll || seen % thinning === 0)) {
        alive.set(id, { type, site: callSite() });
      }
    },
    destroy(id) {
      alive.delete(id);
    },
  });
  return {
    start() {
      hook.enable();
    },
    stop() {
      hook.disable();
      alive.clear();
      seen = 0;
    },
    top(types) {
      const counts = new Map<string, number>();
      for (const { type, site } of alive.values()) {
        if (types.includes(type)) {
          counts.set(site, (counts.get(site) ?? 0) + 1);
        }
      }
      return [...counts].sort(([, a], [, b]) => b - a).slice(0, maxShown);
    },
  };
}

/** The file and line that called, outside of Node and of the leak watch: `services/order/service.ts:12`. */
export function callSite(stack = stackHere()): string {
  const frames = stack.split("\n").filter((line) => line.startsWith("    at "));
  const outside = frames.filter((frame) => !/node:|\/process\/(creation-sites|pending)\.(ts|mjs)/.test(frame));
  const frame = outside.find((line) => !line.includes("/node_modules/")) ?? outside[0];
  const place = frame?.match(/\(?(?:file:\/\/)?([^\s()]+:\d+):\d+\)?$/)?.[1];
  return place?.replace(`${process.cwd()}/`, "") ?? "an unknown place";
}

function stackHere(): string {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 25;
  const { stack = "" } = new Error();
  Error.stackTraceLimit = stackTraceLimit;
  return stack;
}
