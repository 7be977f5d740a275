import { readFile, writeFile } from "node:fs/promises";

/**
 * Adds to package-lock.json the optional packages of other platforms that npm left out of it.
 *
 * npm drops an optional package from the lock when the registry that it was written against does not offer it (mirrors
 * often carry one platform only), and `npm ci` then refuses the lock file everywhere. Their versions stand exactly in
 * the packages that want them, and their names say the platform, so nothing has to be fetched.
 */

interface Locked {
  version?: string;
  license?: string;
  dev?: true;
  optional?: true;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

const systems = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"];
const processors = ["arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "x64"];

/** The lock entry that npm would have written for `@swc/core-linux-arm-gnueabihf`, derived from its name. */
function platformOf(name: string): Pick<Locked, "os" | "cpu" | "libc"> {
  const words = name.replace("linuxmusl", "linux-musl").split(/[-/]/);
  const cpu = processors.filter((processor) => words.includes(processor));
  const os = systems.filter((system) => words.includes(system));
  const libc = os.includes("linux") ? words.flatMap((word) => /^(musl|gnu)/.exec(word)?.[1] ?? []) : [];
  return {
    ...(cpu.length > 0 ? { cpu } : words.some((word) => word.startsWith("arm")) ? { cpu: ["arm"] } : {}),
    ...(os.length > 0 ? { os } : {}),
    ...(libc.length > 0 ? { libc: libc.map((name) => (name === "gnu" ? "glibc" : name)) } : {}),
  };
}

/** Whether `name` is found from the package at `from`, looking in each node_modules on the way up as Node does. */
function isLocked(packages: Record<string, Locked>, from: string, name: string): boolean {
  if (packages[from === "" ? `node_modules/${name}` : `${from}/node_modules/${name}`]) {
    return true;
  }
  const parent = from.lastIndexOf("/node_modules/");
  return from !== "" && isLocked(packages, parent < 0 ? "" : from.slice(0, parent), name);
}

const file = "package-lock.json";
const lock: { packages: Record<string, Locked> } = JSON.parse(await readFile(file, "utf8"));
const { "": root = {}, ...packages } = lock.packages;
let added = 0;
for (const [path, wanting] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(wanting.optionalDependencies ?? {})) {
    // A range names no version to write down; the packages of platforms are wanted exactly.
    if (/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version) && !isLocked(packages, path, name)) {
      const { license, dev } = wanting;
      const inherited = { ...(license && { license }), ...(dev && { dev }) };
      packages[`node_modules/${name}`] = { version, ...inherited, optional: true, ...platformOf(name) };
      added += 1;
    }
  }
}
if (added > 0) {
  const sorted = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)));
  await writeFile(file, `${JSON.stringify({ ...lock, packages: { "": root, ...sorted } }, undefined, 2)}\n`);
}
console.log(`${file}: ${added} packages of other platforms added`);
