import { parseName } from "../../runtime/api/resource-name.ts";
import { isId } from "../../runtime/values/ids.ts";
import { orderNotFound } from "../errors.ts";

/**
 * The id in `orders/{order}`.
 *
 * @throws ConnectError NOT_FOUND for a name that no order can have
 */
export function orderIdOf(name: string): string {
  const id = parseName("orders/{order}", name)?.order;
  if (id === undefined || !isId(id)) {
    throw orderNotFound(name);
  }
  return id;
}
