import { parseName } from "../../runtime/api/resource-name.ts";
import { isId } from "../../runtime/values/ids.ts";
import { orderNotFound } from "../errors.ts";

/**
 * Returns the id in `orders/{order}`.
 *
 * @throws ConnectError NOT_FOUND for a malformed name
 */
export function orderIdOf(name: string): string {
  const id = parseName("orders/{order}", name)?.order;
  if (id === undefined || !isId(id)) {
    throw orderNotFound(name);
  }
  return id;
}
