import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";

/**
 * Builds the container image without an engine: `buildah` assembles `deploy/image/Dockerfile` from the bundle, the Node
 * of `node_modules` and Debian packages that `mmdebstrap` extracts. Writes an OCI archive, and its digest beside it.
 *
 *     node tools/image.ts [--arch amd64 | arm64] [--out FOLDER] [--context FOLDER]
 *
 * The same commit, lock file and Debian packages give the same digest. Nothing runs on the target architecture, so that
 * either can be built on both. `--prepare` installs the tools where it may, and fails where they are missing.
 */

const tools = ["buildah", "mmdebstrap", "podman", "runc"];
const debianPackages = ["libc6", "libstdc++6", "libgcc-s1", "ca-certificates", "tzdata", "tini"];
const debianRelease = "bookworm";
const npmArchitectures: Readonly<Record<string, string>> = { amd64: "x64", arm64: "arm64" };

const root = join(import.meta.dirname, "..");

function run(command: string, args: readonly string[], environment: Record<string, string> = {}): void {
  execFileSync(command, args, {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, ...environment },
  });
}

function output(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
}

function missingTools(): string[] {
  const folders = (process.env["PATH"] ?? "").split(":");
  return tools.filter((tool) => ![...folders, "/usr/sbin"].some((folder) => existsSync(join(folder, tool))));
}

/** Installs what is missing where this process may. Returns whether every tool is there. */
function prepare(): boolean {
  const missing = missingTools();
  if (missing.length === 0) {
    return true;
  }
  if (process.env["SETUP"] !== "no" && process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")) {
    console.log(`Installing ${missing.join(" ")} to build and run the image`);
    try {
      const quiet = ["-qq", "-y", "--no-install-recommends"];
      run("apt-get", ["update", "-qq"]);
      execFileSync("apt-get", ["install", ...quiet, ...missing], {
        stdio: ["ignore", "ignore", "inherit"],
        env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      });
    } catch (error) {
      console.log(`skipped: ${(error as Error).message}`);
    }
  }
  const still = missingTools();
  if (still.length > 0) {
    console.log(`skipped: it needs ${still.join(", ")} (Debian: apt-get install ${still.join(" ")})`);
  }
  return still.length === 0;
}

/** The time of the commit, in seconds since 1970: that of every file in the image. */
function commitTime(): string {
  try {
    return output("git", ["log", "-1", "--format=%ct"]);
  } catch {
    return "0";
  }
}

function revision(): string {
  try {
    return output("git", ["rev-parse", "HEAD"]);
  } catch {
    return "unknown";
  }
}

/** Extracts the Debian packages to a folder, kept for the day: a mirror changes, and asking it takes 20 s. */
async function extractDebian(arch: string, sourceDate: string): Promise<string> {
  const day = new Date().toISOString().slice(0, 10);
  const folder = resolve(root, `.cache/image/debian-${debianRelease}-${arch}-${day}`);
  if (!existsSync(folder)) {
    await mkdir(dirname(folder), { recursive: true });
    const draft = `${folder}.${process.pid}`;
    const include = `--include=${debianPackages.join(",")}`;
    // The archives stay: the image lists its packages from them.
    const options = [
      "--variant=extract",
      include,
      "--skip=cleanup/apt",
      `--architectures=${arch}`,
      "--format=directory",
    ];
    run("mmdebstrap", ["--quiet", ...options, debianRelease, draft], { SOURCE_DATE_EPOCH: sourceDate });
    run("mv", [draft, folder]);
  }
  return folder;
}

/** Puts a Node binary for the architecture, in the version of the lock file, at `target`. */
async function copyNode(arch: string, target: string): Promise<void> {
  const cpu = npmArchitectures[arch];
  if (cpu === process.arch) {
    await copyFile(join(root, "node_modules/node/bin/node"), target);
  } else {
    const { version } = JSON.parse(await readFile(join(root, "node_modules/node/package.json"), "utf8"));
    const folder = resolve(root, `.cache/image/node-${arch}-${version}`);
    const name = `node-linux-${cpu}`;
    run("npm", ["install", "--prefix", folder, "--no-save", "--force", "--ignore-scripts", `${name}@${version}`]);
    await copyFile(join(folder, "node_modules", name, "bin/node"), target);
  }
  await chmod(target, 0o755);
}

/** Lays out the image's root file system in a folder, and beside it what belongs to the image's user. */
async function assembleContent(content: string, arch: string, sourceDate: string): Promise<void> {
  const folder = join(content, "root");
  await rm(content, { recursive: true, force: true });
  await mkdir(join(content, "owned/data"), { recursive: true });
  await mkdir(join(folder, "usr/local/bin"), { recursive: true });
  run(process.execPath, ["tools/bundle.ts", "--out", join(folder, "app")]);
  run("sh", ["deploy/image/root.sh", await extractDebian(arch, sourceDate), folder]);
  await copyNode(arch, join(folder, "usr/local/bin/node"));
  // The permissions of the image do not depend on the umask of the one who builds it.
  run("chmod", ["-R", "u=rwX,go=rX", content]);
  await chmod(join(folder, "tmp"), 0o1777);
}

/** Returns the digest of the image. */
async function buildImage(content: string, out: string, arch: string, sourceDate: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const storage = join(out, "storage");
  const buildah = (...args: string[]) =>
    run("buildah", ["--storage-driver", "vfs", "--root", storage, "--runroot", join(out, "run"), ...args]);
  const name = `localhost/docket:${version}`;
  const archive = join(out, `docket-${arch}.tar`);
  const digestFile = join(out, `docket-${arch}.digest`);
  const buildArgs = { CONTENT: "from-context", VERSION: version, REVISION: revision() };
  await rm(archive, { force: true });
  try {
    buildah(
      ...["bud", "--quiet", "--isolation", "chroot", "--timestamp", sourceDate, "--arch", arch],
      ...Object.entries(buildArgs).flatMap(([key, value]) => ["--build-arg", `${key}=${value}`]),
      ...["-f", "deploy/image/Dockerfile", "-t", name, content],
    );
    buildah("push", "--quiet", "--digestfile", digestFile, name, `oci-archive:${archive}:${name}`);
  } finally {
    buildah("rmi", "--all", "--force");
    await rm(storage, { recursive: true, force: true });
  }
  return (await readFile(digestFile, "utf8")).trim();
}

async function main(): Promise<void> {
  const hostArch = process.arch === "arm64" ? "arm64" : "amd64";
  const { values } = parseArgs({
    options: {
      arch: { type: "string", default: hostArch },
      out: { type: "string", default: ".cache/image" },
      prepare: { type: "boolean" },
    },
  });
  if (!(values.arch in npmArchitectures)) {
    throw new Error(`--arch must be one of ${Object.keys(npmArchitectures).join(", ")}`);
  }
  if (!prepare()) {
    process.exitCode = 1;
    return;
  }
  if (values.prepare) {
    return;
  }
  const out = resolve(values.out);
  await mkdir(out, { recursive: true });
  const content = join(out, `content-${values.arch}`);
  const sourceDate = commitTime();
  await assembleContent(content, values.arch, sourceDate);
  const digest = await buildImage(content, out, values.arch, sourceDate);
  await writeFile(join(out, `docket-${values.arch}.digest`), `${digest}\n`);
  console.log(`${join(values.out, `docket-${values.arch}.tar`)}: ${digest}`);
}

await main();
