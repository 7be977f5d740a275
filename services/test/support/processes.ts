import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type Target, targetNames } from "../../host/targets.ts";
import { freePorts } from "../../runtime/testing/free-ports.ts";
import { type Program, startProgram } from "./program.ts";
import type { Storage } from "./start-docket.ts";

/** Docket as processes: each service, and the gateway in front of them. */
export interface Processes extends AsyncDisposable {
  readonly gateway: Program;
  readonly programs: ReadonlyMap<ProcessName, Program>;
  /** The secret of the services' tokens. */
  readonly serviceSecret: string;
  /** Kills the process with SIGKILL, unless that was done, and restarts it. */
  restart(name: ProcessName): Promise<void>;
}

/** A target's process, or its second one. */
type ProcessName = Target | `${Target}-2`;

function targetOf(name: ProcessName): string {
  return name.replace("-2", "");
}

export interface ProcessesOptions {
  /** Targets that two processes run, on a shared database. The second is named `order-2`. */
  readonly twice?: readonly Target[];
}

/** Starts all processes on one storage, the gateway last. */
export async function startProcesses(
  storage: Pick<Storage, "environment">,
  { twice = [] }: ProcessesOptions = {},
): Promise<Processes> {
  const names = targetNames.flatMap((name): ProcessName[] => (twice.includes(name) ? [name, `${name}-2`] : [name]));
  const [httpPort = 0, ...ports] = await freePorts(1 + names.length);
  const portOf = new Map(names.map((name, i) => [name, ports[i]]));
  const folder = storage.environment["DOCKET_DATA_DIR"] ?? "";
  const serviceSecret = randomBytes(32).toString("base64");
  const shared = {
    ...storage.environment,
    DOCKET_HTTP_PORT: `${httpPort}`,
    DOCKET_PUBLIC_URL: `http://127.0.0.1:${httpPort}`,
    DOCKET_SERVICE_ADDRESSES: [...portOf].map(([name, port]) => `${targetOf(name)}=127.0.0.1:${port}`).join(","),
    DOCKET_SERVICE_SECRET: serviceSecret,
    DOCKET_SANDBOX_SECRET: randomBytes(32).toString("base64"),
    DOCKET_ADMIN_KEY: `dk_${randomBytes(32).toString("base64url")}`,
    DOCKET_TRUSTED_PROXIES: "127.0.0.1",
  };
  let stack = new AsyncDisposableStack();
  await using failing = stack;
  const programs = new Map<ProcessName, Program>();
  const start = async (name: ProcessName) => {
    const program = await startProgram({
      ...shared,
      DOCKET_SERVICES: targetOf(name),
      DOCKET_DATA_DIR: join(folder, name),
      DOCKET_GRPC_PORT: `${portOf.get(name)}`,
    });
    programs.set(name, stack.use(program));
  };
  for (const name of names) {
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
    async restart(name) {
      await programs.get(name)?.kill();
      await start(name);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
