/** Reason of a stock movement; see `StockMovementType` in the API. */
export const movementTypes = ["ADJUSTMENT", "RESERVATION", "RELEASE", "CONSUMPTION", "RESTOCK"] as const;
export type MovementType = (typeof movementTypes)[number];

/** A change of one item's stock. */
export interface StockMove {
  readonly sku: string;
  readonly onHandDelta: bigint;
  readonly reservedDelta: bigint;
}

/** The cause of a stock change, recorded in the ledger. */
export interface MoveCause {
  readonly type: MovementType;
  /** The reservation's id, if any. */
  readonly reservation?: string;
  readonly reason?: string;
  /** The caller, `{kind}:{subject}`. */
  readonly actor: string;
}

/** A stored ledger entry. */
export interface StoredMovement {
  readonly sku: string;
  /** Ascending within the item, in order of the changes. May have gaps. */
  readonly sequence: number;
  readonly type: MovementType;
  readonly onHandDelta: bigint;
  readonly reservedDelta: bigint;
  readonly onHand: bigint;
  readonly reserved: bigint;
  readonly reservation: string | undefined;
  readonly reason: string;
  readonly actor: string;
  readonly createdAt: number;
}

/** A SKU with fewer units available than wanted. A SKU that does not exist has 0 available. */
export interface Shortage {
  readonly sku: string;
  readonly wanted: bigint;
  readonly available: bigint;
}
