import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/** Unused loopback ports below the ephemeral range, which no outgoing connection takes meanwhile. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(20_000, 32_000);
    const server = createServer().listen(port, "127.0.0.1");
    const isFree = await Promise.race([
      once(server, "listening").then(() => true),
      once(server, "error").then(() => false),
    ]);
    if (isFree) {
      server.close();
      await once(server, "close");
      ports.add(port);
    }
  }
  return [...ports];
}
