import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type Target, targetNames } from "../../host/targets.ts";
import { freePorts } from "../../runtime/testing/free-ports.ts";
import { type Program, startProgram } from "./program.ts";
import type { Storage } from "./start-docket.ts";

/** Docket as processes: each service, and the gateway in front of them. */
export interface Processes extends AsyncDisposable {
  readonly gateway: Program;
  readonly programs: ReadonlyMap<Target, Program>;
  /** The secret of the services' tokens. */
  readonly serviceSecret: string;
  /** Kills the target's process with SIGKILL and restarts it. */
  restart(target: Target): Promise<void>;
}

/** Starts all processes on one storage, the gateway last. */
export async function startProcesses(storage: Pick<Storage, "environment">): Promise<Processes> {
  const [httpPort = 0, ...ports] = await freePorts(1 + targetNames.length);
  const portOf = new Map(targetNames.map((name, i) => [name, ports[i]]));
  const folder = storage.environment["DOCKET_DATA_DIR"] ?? "";
  const serviceSecret = randomBytes(32).toString("base64");
  const shared = {
    ...storage.environment,
    DOCKET_HTTP_PORT: `${httpPort}`,
    DOCKET_PUBLIC_URL: `http://127.0.0.1:${httpPort}`,
    DOCKET_SERVICE_ADDRESSES: [...portOf].map(([name, port]) => `${name}=127.0.0.1:${port}`).join(","),
    DOCKET_SERVICE_SECRET: serviceSecret,
    DOCKET_SANDBOX_SECRET: randomBytes(32).toString("base64"),
    DOCKET_ADMIN_KEY: `dk_${randomBytes(32).toString("base64url")}`,
    DOCKET_TRUSTED_PROXIES: "127.0.0.1",
  };
  let stack = new AsyncDisposableStack();
  await using failing = stack;
  const programs = new Map<Target, Program>();
  const start = async (name: Target) => {
    const program = await startProgram({
      ...shared,
      DOCKET_SERVICES: name,
      DOCKET_DATA_DIR: join(folder, name),
      DOCKET_GRPC_PORT: `${portOf.get(name)}`,
    });
    programs.set(name, stack.use(program));
  };
  for (const name of targetNames) {
    await start(name);
  }
  const gateway = programs.get("gateway");
  if (gateway === undefined) {
    throw new Error("the gateway is one of the targets");
  }
  stack = failing.move();
  return {
    gateway,
    programs,
    serviceSecret,
    async restart(target) {
      await programs.get(target)?.kill();
      await start(target);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
