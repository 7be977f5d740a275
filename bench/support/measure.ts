import { mkdir, readFile, writeFile } from "node:fs/promises";
import { cpus, loadavg, totalmem } from "node:os";

/** Measurements by contender, one per round. */
export type Rounds = Readonly<Record<string, readonly number[]>>;

/** Reads `--name value` from the command line as a number. */
export function option(name: string, fallback: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(process.argv[at + 1]);
}

/** Reads `--name a,b` from the command line; default: all. */
export function chosen<Name extends string>(name: string, all: readonly Name[]): readonly Name[] {
  const at = process.argv.indexOf(`--${name}`);
  const wanted = at < 0 ? undefined : process.argv[at + 1]?.split(",");
  return wanted === undefined ? all : all.filter((each) => wanted.includes(each));
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** The nearest-rank percentile; NaN without values. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

/** The median of the ratios of each round, because a slow round slows both sides. */
export function ratio(rounds: Rounds, of: string, to: string): number {
  const base = rounds[to] ?? [];
  return median((rounds[of] ?? []).map((value, round) => value / (base[round] ?? Number.NaN)));
}

/** Prints each contender's median and raw rounds, one per line. */
export function printRounds(rounds: Rounds, unit: string): void {
  const width = Math.max(...Object.keys(rounds).map((name) => name.length));
  for (const [name, values] of Object.entries(rounds)) {
    console.log(`${name.padEnd(width)} ${short(median(values))} ${unit} (rounds: ${values.map(short).join(" ")})`);
  }
}

export function printRatios(rounds: Rounds, pairs: readonly (readonly [of: string, to: string])[]): void {
  for (const [of, to] of pairs) {
    console.log(`ratio ${of} / ${to}: ${ratio(rounds, of, to).toFixed(2)}`);
  }
}

export interface Machine {
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  /** Load average over the last minute at the start, to detect interference. */
  readonly loadBefore: number;
  readonly packages: Readonly<Record<string, string>>;
}

/** Describes and prints the environment of the measurements. */
export async function describeMachine(packages: readonly string[]): Promise<Machine> {
  const versions = await Promise.all(packages.map(async (name) => [name, await versionOf(name)] as const));
  const machine = {
    node: process.version,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    loadBefore: Number(loadavg()[0]?.toFixed(2)),
    packages: Object.fromEntries(versions),
  };
  console.log(machine);
  return machine;
}

/** Writes the raw figures to bench/results/. */
export async function keepResult(name: string, result: object): Promise<void> {
  await mkdir(new URL("../results/", import.meta.url), { recursive: true });
  const text = JSON.stringify(
    result,
    (_, value) => (typeof value === "number" ? Number(value.toPrecision(6)) : value),
    2,
  );
  // Prints arrays of numbers on one line.
  const compact = text.replace(/\[[\s\d.,eE+-]+\]/g, (list) => list.replace(/\s+/g, " "));
  await writeFile(new URL(`../results/${name}.json`, import.meta.url), `${compact}\n`);
}

async function versionOf(name: string): Promise<string> {
  const text = await readFile(new URL(`../../node_modules/${name}/package.json`, import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

function short(value: number): string {
  return value >= 1000 ? value.toFixed(0) : value.toPrecision(3);
}
