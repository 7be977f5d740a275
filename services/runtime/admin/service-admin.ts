import type { DeadLetterAdmin } from "./dead-letter-admin.ts";
import type { SagaAdmin } from "./saga-admin.ts";

/** What operators can administer in a service's database. */
export interface ServiceAdmin {
  /** Missing in a service without sagas. */
  readonly sagas?: SagaAdmin;
  /** Missing in a service without consumers. */
  readonly deadLetters?: DeadLetterAdmin;
}
