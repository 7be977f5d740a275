import type { ConnectError, HandlerContext } from "@connectrpc/connect";
import { decodePageToken, encodePageToken, pageSizeOf } from "../../../runtime/api/page-token.ts";
import { principalOf } from "../../../runtime/context-values.ts";
import type { OperationsContext } from "../../context.ts";
import { tenantOf } from "../tenancy/tenant-of.ts";
import { type AdminClient, clientOf } from "./admin-client.ts";
import { mergePages, type PagePart } from "./merge-pages.ts";
import { isAway, servicesAway } from "./services-away.ts";

/** What the list requests have in common. */
interface ListRequest {
  readonly pageSize: number;
  readonly pageToken: string;
  readonly filter: string;
  readonly tenant: string;
  readonly returnPartialSuccess: boolean;
}

/** What to ask of a service. */
export interface PartRequest {
  readonly service: string;
  readonly tenant: string;
  readonly filter: string;
  readonly beforeId: string;
  readonly limit: number;
}

export interface ListAcross<Row> {
  /** Name of the public method, which the page token is bound to. */
  readonly method: string;
  readonly request: ListRequest;
  /** Asks one service. */
  readonly ask: (client: AdminClient, request: PartRequest) => Promise<PagePart<Row>>;
  /** Ids are unique over all services and sort by time. */
  readonly idOf: (row: Row) => string;
  /** Size of the row in the response, in bytes. */
  readonly bytesOf: (row: Row) => number;
}

/** Wildcard that lists the rows of all tenants (AIP-159). */
const everyTenant = "-";

/**
 * Lists a page over all services, newest first: each is asked, concurrently, for at most a whole page, and one token
 * continues in all of them. Services that did not answer are named in `unreachable`.
 *
 * @throws ConnectError UNAVAILABLE or DEADLINE_EXCEEDED, reason SERVICES_UNAVAILABLE, if a service did not answer and
 * the request does not allow partial results, or none answered; PERMISSION_DENIED for another tenant; the rejection of
 * any service
 */
export async function listAcross<Row>(
  { administered }: Pick<OperationsContext, "administered">,
  { method, request, ask, idOf, bytesOf }: ListAcross<Row>,
  call: HandlerContext,
): Promise<{ rows: readonly Row[]; nextPageToken: string; unreachable: string[] }> {
  const { filter } = request;
  const tenant = tenantOf(principalOf(call), request.tenant);
  const query = [method, tenant, filter];
  const [beforeId = ""] = decodePageToken(request.pageToken, query, ["text"]) ?? [];
  const size = pageSizeOf(request.pageSize);
  const wanted = { tenant: tenant === everyTenant ? "" : tenant, filter, beforeId, limit: size };

  const errors: ConnectError[] = [];
  const answers = await Promise.all(
    administered.map(async (service) => {
      try {
        return { service, part: await ask(clientOf(service, call), { ...wanted, service: service.name }) };
      } catch (error) {
        if (!isAway(error)) {
          throw error;
        }
        errors.push(error);
        return { service };
      }
    }),
  );
  const unreachable = answers.filter(({ part }) => part === undefined).map(({ service }) => service.name);
  if (unreachable.length > 0 && (!request.returnPartialSuccess || unreachable.length === administered.length)) {
    throw servicesAway(unreachable, errors);
  }
  const { rows, more } = mergePages(
    answers.flatMap(({ part }) => part ?? []),
    { size, idOf, bytesOf },
  );
  const last = rows.at(-1);
  return { rows, nextPageToken: more && last !== undefined ? encodePageToken(query, [idOf(last)]) : "", unreachable };
}
