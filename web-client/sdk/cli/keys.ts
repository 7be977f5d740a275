import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { type ApiKey, ApiKeySchema } from "../../../gen/docket/operations/v1/operations_pb.js";
import { paged } from "../pages.ts";
import { contextOf, parseTime, type Surroundings } from "./context.ts";

/** `docket keys …` */
export function addKeyCommands(program: Command, surroundings: Surroundings): void {
  const keys = program.command("keys").description("create, list and revoke API keys");

  keys
    .command("create")
    .description("create a key; it is shown once")
    .argument("<name>", "what it is for")
    .requiredOption("-s, --scope <scope...>", "what it may do, for example orders.read orders.write")
    .option("--tenant <tenant>", "whose data it reaches")
    .option("--expires <time>", "when it stops working, for example 2027-01-01", parseTime)
    .action(
      async (displayName: string, options: { scope: string[]; tenant?: string; expires?: Date }, command: Command) => {
        const { docket, output } = contextOf(command, surroundings);
        const { scope: scopes, tenant = "", expires } = options;
        const expireTime = expires && timestampFromDate(expires);
        const apiKey = await docket.apiKeys.createApiKey({
          apiKey: { displayName, scopes, tenant, ...(expireTime && { expireTime }) },
        });
        output.one(ApiKeySchema, apiKey, `${apiKey.key}`);
        output.note(`${apiKey.name} for tenant ${apiKey.tenant}. Keep the key now: it is not shown again.`);
      },
    );

  keys
    .command("list")
    .description("list keys")
    .action(async (_options: unknown, command: Command) => {
      const { docket, output } = contextOf(command, surroundings);
      const found = paged(
        (pageToken) => docket.apiKeys.listApiKeys({ pageToken }),
        (page) => page.apiKeys,
      );
      await output.rows(ApiKeySchema, found, {
        NAME: (key) => key.name,
        KEY: (key) => `${key.keyPrefix}…`,
        FOR: (key) => key.displayName,
        SCOPES: (key) => key.scopes.join(" "),
        STATE: stateOf,
      });
    });

  keys
    .command("revoke")
    .description("revoke a key: from then on it is refused")
    .argument("<name>", "its name, apiKeys/…")
    .action(async (name: string, _options: unknown, command: Command) => {
      const { docket, output } = contextOf(command, surroundings);
      const apiKey = await docket.apiKeys.revokeApiKey({ name });
      output.one(ApiKeySchema, apiKey, `${apiKey.name} is revoked`);
    });
}

function stateOf({ revokeTime, expireTime }: ApiKey): string {
  if (revokeTime !== undefined) {
    return "revoked";
  }
  return expireTime !== undefined && timestampDate(expireTime) <= new Date() ? "expired" : "active";
}
