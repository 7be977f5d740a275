import { expect, test } from "@jest/globals";
import { migrate } from "../../runtime/db/migrate.ts";
import { describeEachDatabase } from "../../runtime/testing/databases.ts";
import { migrations } from "../db/migrations.ts";
import type { OperationsDatabase } from "../db/schema.ts";
import { replaceApiKey } from "./api-keys.ts";

const row = (keyHash: string, tenant = "default") => ({
  id: "admin",
  tenant_id: tenant,
  display_name: "Administrator",
  key_hash: keyHash,
  key_prefix: "dk_",
  scopes: "admin",
  expires_at: null,
  revoked_at: null,
  last_used_at: null,
  created_at: 1,
});

describeEachDatabase("the configured API key", (open) => {
  test("is there once after several processes have replaced it at once", async () => {
    const db = await open<OperationsDatabase>();
    await migrate(db, migrations);
    const stored = () => db.kysely.selectFrom("api_keys").select(["tenant_id", "key_hash"]).execute();
    for (let round = 0; round < 5; round++) {
      await replaceApiKey(db, "admin", undefined);
      expect(await stored()).toEqual([]);
      await Promise.all(Array.from({ length: 8 }, () => replaceApiKey(db, "admin", row(`key ${round}`))));
      expect(await stored()).toEqual([{ tenant_id: "default", key_hash: `key ${round}` }]);
    }
    await replaceApiKey(db, "admin", row("moved", "other"));
    expect(await stored()).toEqual([{ tenant_id: "other", key_hash: "moved" }]);
  });
});
