import type { SagaDefinition } from "../runtime/saga/definition.ts";
import type { Sagas } from "../runtime/saga/saga-client.ts";
import type { OrderDatabase } from "./db/schema.ts";
import type { FeedTail } from "./feed-tail.ts";
import type { OrderParts } from "./parts.ts";
import type { AnonymizeOrderState } from "./saga/anonymize-order.ts";
import type { GiveLinesBackState } from "./saga/give-lines-back.ts";
import type { LatePaymentState } from "./saga/late-payment.ts";
import type { PlaceOrderState } from "./saga/place-order.ts";

/** Dependencies of the order service's RPCs. */
export interface OrderContext extends OrderParts {
  readonly feedTail: FeedTail;
  readonly sagas: Sagas<OrderDatabase>;
  readonly definitions: OrderSagas;
}

/** Client of the order sagas. */
export interface OrderSagas {
  readonly anonymizeOrder: SagaDefinition<AnonymizeOrderState, OrderDatabase>;
  readonly placeOrder: SagaDefinition<PlaceOrderState, OrderDatabase>;
  readonly latePayment: SagaDefinition<LatePaymentState, OrderDatabase>;
  readonly giveLinesBack: SagaDefinition<GiveLinesBackState, OrderDatabase>;
}
