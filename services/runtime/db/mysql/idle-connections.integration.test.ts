import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { expect, jest, test } from "@jest/globals";
import { sql } from "kysely";
import { describeMariadb } from "../../testing/databases.ts";
import { openDatabase } from "../connect.ts";

/** Passes bytes on in both directions until it is told to swallow them, as a network that has forgotten a connection. */
async function startForgetfulProxy(port: number) {
  const sockets: { isForgotten: boolean; ends: Socket[] }[] = [];
  const server = createServer((client) => {
    const upstream = connect(port, "127.0.0.1");
    const link = { isForgotten: false, ends: [client, upstream] };
    sockets.push(link);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on("data", (bytes) => link.isForgotten || to.write(bytes));
      from.on("close", () => to.destroy());
      from.on("error", () => to.destroy());
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    port: typeof address === "object" ? (address?.port ?? 0) : 0,
    forgetAll: () => sockets.forEach((link) => void Object.assign(link, { isForgotten: true })),
    async [Symbol.asyncDispose]() {
      for (const { ends } of sockets) ends.forEach((end) => void end.destroy());
      server.close();
      await once(server, "close");
    },
  };
}

describeMariadb("the connections of a pool", (open) => {
  test("are checked before their use after an idle time, so that forgotten ones are replaced", async () => {
    await using direct = await open();
    const url = new URL(direct.url);
    await using proxy = await startForgetfulProxy(Number(url.port));
    url.port = String(proxy.port);
    await using db = await openDatabase({ url: url.href });
    const answer = () => sql<{ one: number }>`select 1 as one`.execute(db.kysely);
    await answer();
    proxy.forgetAll();
    const now = Date.now();
    using clock = jest.spyOn(Date, "now").mockReturnValue(now + 60_000);
    expect((await answer()).rows).toEqual([{ one: 1 }]);
    expect(clock).toHaveBeenCalled();
  });
});
