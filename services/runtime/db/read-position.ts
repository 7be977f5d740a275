import { isGtidPosition, mergeGtidPositions } from "./mysql/gtid-position.ts";

/**
 * How far the database server had come when this process last committed. Reads on a replica wait for it, and callers
 * carry it to other processes. One per database server.
 */
export interface ReadPosition {
  /** Empty until the first commit, and where commits have no position. */
  readonly current: string;
  /** Includes the position of a commit. */
  advance(position: string): void;
}

export function createReadPosition(): ReadPosition {
  let current = "";
  return {
    get current() {
      return current;
    },
    advance(position) {
      current = mergeGtidPositions(current, position);
    },
  };
}

/** Parses a position from outside of the process. Returns the empty one for anything else. */
export function readPositionFrom(text: string | null): string {
  return text !== null && isGtidPosition(text) ? text : "";
}

/** The smallest position that includes both. */
export function includingBoth(a: string, b: string): string {
  return mergeGtidPositions(a, b);
}
