import { reasonOf } from "../../../runtime/errors.ts";

/** Maximum number of restarts after concurrent changes of the order. */
const MAX_TRIES = 3;

/** Runs the work, and restarts it if another request changed the order meanwhile. */
export async function retryIfChanged<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (reasonOf(error) !== "ORDER_CHANGED" || tries >= MAX_TRIES) {
        throw error;
      }
    }
  }
}
