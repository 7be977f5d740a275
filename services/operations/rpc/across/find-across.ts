import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import type { AdministeredService, OperationsContext } from "../../context.ts";
import { type AdminClient, clientOf } from "./admin-client.ts";
import { isAway, servicesAway } from "./services-away.ts";

/**
 * Finds the service that has a resource, with the resource: ids are unique over all services, so all are asked.
 *
 * @throws ConnectError NOT_FOUND if no service has it; UNAVAILABLE or DEADLINE_EXCEEDED, reason SERVICES_UNAVAILABLE, if one
 * that may have it did not answer
 */
export async function findAcross<Resource>(
  { administered }: Pick<OperationsContext, "administered">,
  call: HandlerContext,
  get: (client: AdminClient, service: string) => Promise<Resource>,
): Promise<{ service: AdministeredService; resource: Resource }> {
  const outcomes = await Promise.allSettled(
    administered.map(async (service) => ({ service, resource: await get(clientOf(service, call), service.name) })),
  );
  const found = outcomes.find((outcome) => outcome.status === "fulfilled");
  if (found !== undefined) {
    return found.value;
  }
  const errors: unknown[] = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
  const rejection = errors.find((error) => !isAway(error) && !isNotFound(error));
  if (rejection !== undefined) {
    throw rejection;
  }
  const away = administered.filter((_, index) => isAway(errors[index])).map(({ name }) => name);
  throw away.length > 0 ? servicesAway(away, errors.filter(isAway)) : errors[0];
}

function isNotFound(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.NotFound;
}
