/** Why stock moved; see `StockMovementType` in the contract. */
export const movementTypes = ["ADJUSTMENT", "RESERVATION", "RELEASE", "CONSUMPTION", "RESTOCK"] as const;
export type MovementType = (typeof movementTypes)[number];

/** A change of one item's stock. */
export interface StockMove {
  readonly sku: string;
  readonly onHandDelta: bigint;
  readonly reservedDelta: bigint;
}

/** What a change of stock is remembered with. */
export interface MoveCause {
  readonly type: MovementType;
  /** The reservation's id, where there is one. */
  readonly reservation?: string;
  readonly reason?: string;
  /** Who did it, `{kind}:{subject}`. */
  readonly actor: string;
}

/** One entry of the ledger as it is stored. */
export interface StoredMovement {
  readonly sku: string;
  /** Ascending within the item in the order of the changes, with gaps. */
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

/** A SKU of which less is available than was wanted; nothing is available of what does not exist. */
export interface Shortage {
  readonly sku: string;
  readonly wanted: bigint;
  readonly available: bigint;
}
