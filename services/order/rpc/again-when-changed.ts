import { reasonOf } from "../../runtime/errors.ts";

/** How often a request begins again when the order changed while it was prepared. */
const MAX_TRIES = 3;

/** Does the work, and again from its beginning where another request changed the order in the middle of it. */
export async function againWhenChanged<T>(work: () => Promise<T>): Promise<T> {
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
