import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { repository, stop } from "../support/go-programs.ts";

const cache = `${repository}.cache/grpc-gateway/v2.33.0`;

/** grpc-gateway's example gRPC server, and its own gateway in front of it. */
export interface ExampleServers extends AsyncDisposable {
  readonly descriptorSet: string;
  readonly upstream: string;
  readonly gatewayUrl: string;
}

/** Builds the servers, if not done before, and starts them on free ports. */
export async function startExampleServers(): Promise<ExampleServers> {
  await promisify(execFile)("sh", [fileURLToPath(new URL("build.sh", import.meta.url))], { timeout: 600_000 });
  const [grpcPort, httpPort] = await Promise.all([freePort(), freePort()]);
  const upstream = `127.0.0.1:${grpcPort}`;
  const gateway = `127.0.0.1:${httpPort}`;
  const children = [
    spawn(`${cache}/example-grpc-server`, ["-addr", upstream], { stdio: "ignore" }),
    spawn(`${cache}/loopback-gateway`, [gateway, upstream], { stdio: "ignore" }),
  ];
  await Promise.all([untilListening(grpcPort), untilListening(httpPort)]);
  return {
    descriptorSet: `${cache}/examples.binpb`,
    upstream,
    gatewayUrl: `http://${gateway}`,
    [Symbol.asyncDispose]: async () => void (await Promise.all(children.map(stop))),
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function untilListening(port: number): Promise<void> {
  for (let tried = 0; tried < 300; tried += 1) {
    const socket = connect(port, "127.0.0.1");
    const open = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    socket.destroy();
    if (open) return;
    await sleep(100);
  }
  throw new Error(`nothing listens on ${port}`);
}
