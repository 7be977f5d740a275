import { execFile, execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { until } from "../../services/runtime/testing/until.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");

function whyNotHere(): string | undefined {
  const missing = ["buildah", "mmdebstrap", "podman", "runc"].filter((tool) => {
    return !["/usr/bin", "/usr/sbin", "/usr/local/bin"].some((folder) => existsSync(join(folder, tool)));
  });
  if (missing.length > 0) {
    return `there is no ${missing.join(", no ")}`;
  }
  return process.getuid?.() === 0 ? undefined : "it needs root to build without an engine";
}

const reason = whyNotHere();
const skipped = reason === undefined ? "" : ` (skipped: ${reason})`;
const describeHere = reason === undefined ? describe : describe.skip;

describeHere(`the image${skipped}`, () => {
  let folder: string;
  const container = `docket-test-${process.pid}`;
  const podmanArgs = () => [
    ...["--storage-driver", "vfs", "--root", join(folder, "storage"), "--runroot", join(folder, "run")],
    ...["--cgroup-manager", "cgroupfs", "--events-backend", "file", "--runtime", "runc"],
  ];
  const podman = async (...args: string[]) => (await run("podman", [...podmanArgs(), ...args])).stdout.trim();
  const build = async (out: string) => {
    await run(process.execPath, ["tools/image.ts", "--out", out], { cwd: root });
    const [name = ""] = (await readdir(out)).filter((file) => file.endsWith(".digest"));
    return (await readFile(join(out, name), "utf8")).trim();
  };
  const killOrphan = () => {
    try {
      execFileSync("podman", [...podmanArgs(), "rm", "--force", "--time", "0", container], { stdio: "ignore" });
    } catch {
      // It is gone already.
    }
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "docket-image-"));
    process.once("exit", killOrphan);
  });
  afterAll(async () => {
    killOrphan();
    process.off("exit", killOrphan);
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  test("has the same digest when it is built twice", async () => {
    const first = await build(join(folder, "first"));
    expect(first).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await build(join(folder, "second"))).toBe(first);
    await rm(join(folder, "second"), { recursive: true });
  }, 600_000);

  test("has no program but Node and tini", async () => {
    const [content = ""] = (await readdir(join(folder, "first"))).filter((name) => name.startsWith("content-"));
    const entries = await readdir(join(folder, "first", content, "root"), { recursive: true, withFileTypes: true });
    const programs = entries.filter(({ parentPath, name }) => /\/s?bin$/.test(parentPath) && name !== "");
    expect(programs.map(({ name }) => name).sort()).toEqual(["node", "tini"]);
    const executables = entries.filter(
      (entry) => entry.isFile() && /^(sh|bash|dash|busybox|apt|dpkg|npm|openssl|perl)$/.test(entry.name),
    );
    expect(executables).toEqual([]);
  });

  test("runs as its user on a read-only root until its probes answer, serves, and drains on SIGTERM", async () => {
    const [archive = ""] = (await readdir(join(folder, "first"))).filter((name) => name.endsWith(".tar"));
    const image = (await podman("load", "--quiet", "--input", join(folder, "first", archive))).split(": ").at(-1) ?? "";
    // As the chart mounts the Secret.
    const key = randomBytes(24).toString("hex");
    const secret = join(folder, "secret");
    await mkdir(secret);
    await writeFile(join(secret, "value"), `${key}\n`, { mode: 0o444 });
    await podman(
      ...["run", "--detach", "--name", container, "--network", "none", "--read-only", "--cap-drop", "ALL"],
      ...["--security-opt", "no-new-privileges", "--memory", "512m"],
      ...[
        "--volume",
        `${secret}:/run/docket/admin-key:ro`,
        "--env",
        "DOCKET_ADMIN_KEY_FILE=/run/docket/admin-key/value",
      ],
      // The defaults are more than a machine without CAP_SYS_RESOURCE may set.
      ...["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", image],
    );
    const evaluate = (script: string) => podman("exec", container, "/usr/local/bin/node", "--print", script);
    const probe = (path: string) =>
      evaluate(
        `fetch("http://127.0.0.1:8081${path}").then(({ status }) => console.log(status), () => console.log("none"))`,
      );
    await until(async () => (await probe("/ready")).startsWith("200"), 60_000);
    expect(await probe("/live")).toContain("200");

    expect(
      await evaluate('JSON.stringify([process.getuid(), process.getgid(), require("os").userInfo().username])'),
    ).toBe('[65532,65532,"docket"]');
    await expect(evaluate('require("fs").writeFileSync("/app/x", "")')).rejects.toThrow("EROFS");
    expect(await evaluate('new Date(0).toLocaleString("en-GB", { timeZone: "Asia/Tokyo" })')).toContain("09:00:00");
    expect(await evaluate("require('tls').getCACertificates('system').length > 100")).toBe("true");

    const cli = ["exec", "--env", `DOCKET_API_KEY=${key}`, container, "/usr/local/bin/node"];
    expect(await podman(...cli, "/app/web-client/sdk/cli/main.mjs", "keys", "list")).toContain("apiKeys/admin");

    await podman("stop", "--time", "25", container);
    expect(await podman("inspect", "--format", "{{.State.ExitCode}}", container)).toBe("0");
    const { stdout, stderr } = await run("podman", [...podmanArgs(), "logs", container]);
    expect(`${stdout}${stderr}`).toContain('"state":"stopped"');
  }, 180_000);
});
