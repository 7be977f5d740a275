/** A completed mutation with its idempotency key and response. */
export interface IdempotencyKeysTable {
  tenant_id: string;
  /** The full name of the RPC, `docket.order.v1.OrderService/CreateOrder`. */
  method: string;
  request_id: string;
  request_hash: string;
  /** The encoded response; null only inside the transaction of the mutation. */
  response: Uint8Array | null;
  /** Epoch milliseconds by the service's clock. */
  created_at: number;
}

/** Part of the schema type of every service with mutations. */
export interface IdempotencyTables {
  idempotency_keys: IdempotencyKeysTable;
}
