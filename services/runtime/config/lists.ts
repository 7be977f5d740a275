import * as v from "valibot";
import { type Networks, parseNetworks } from "../../../gateway/http/client-address.ts";
import { type Declaration, declareSetting, type Setting, type ValueOf } from "./setting.ts";

/** Kinds of settings with several values: comma-separated text, or in a file also a list or a map. */

const plain = { secret: false, fromFile: false };

/** Texts; in one text comma-separated, trimmed, without empty ones. */
export function list<const D extends Declaration<readonly string[]>>(
  variable: string,
  declaration: D,
): Setting<ValueOf<readonly string[], D>> {
  return declareSetting(items("must be names between commas"), declaration, {
    variable,
    allowed: "names between commas",
    ...plain,
  });
}

function items(problem: string, pattern = /.*/) {
  const text = v.pipe(v.string(problem), v.regex(pattern, problem), v.transform(split));
  return v.union([text, v.array(v.string(problem), problem)], problem);
}

/** Networks (CIDR) and addresses. */
export function networks<const D extends Declaration<readonly string[]>>(
  variable: string,
  declaration: D,
): Setting<ValueOf<Networks, D>> {
  const allowed = "networks such as 10.0.0.0/8 between commas";
  const schema = v.pipe(
    items(`must be ${allowed}`, /^[0-9a-fA-F.:/, ]*$/),
    v.rawTransform<readonly string[], Networks>(({ dataset, addIssue, NEVER }) => {
      try {
        return parseNetworks(dataset.value);
      } catch (error) {
        addIssue({ message: `must be ${allowed}: ${(error as RangeError).message}` });
        return NEVER;
      }
    }),
  );
  return declareSetting(schema, declaration, { variable, allowed, ...plain });
}

/** Numbers by name, `name=10,other=20`. */
export function counts<const D extends Declaration<Readonly<Record<string, number>>>>(
  variable: string,
  declaration: D,
): Setting<ValueOf<ReadonlyMap<string, number>, D>> {
  const allowed = "names with numbers between commas, such as first=10,second=20";
  const problem = `must be ${allowed}`;
  const number = v.pipe(v.number(problem), v.safeInteger(problem), v.minValue(0, problem));
  const schema = v.union(
    [
      v.pipe(
        v.string(problem),
        v.regex(pairsPattern("[0-9]{1,9}"), problem),
        v.transform((text) => new Map(pairs(text).map(([name, value]) => [name, Number(value)]))),
      ),
      v.pipe(
        v.record(v.string(), number, problem),
        v.transform((record) => new Map(Object.entries(record))),
      ),
    ],
    problem,
  );
  return declareSetting(schema, declaration, { variable, allowed, ...plain });
}

/** Texts by name, `name=text,other=text`. A name that is repeated has all of its texts, between commas. */
export function entries<const D extends Declaration<Readonly<Record<string, string>>>>(
  variable: string,
  declaration: D,
): Setting<ValueOf<ReadonlyMap<string, string>, D>> {
  const allowed = "names with values between commas, such as first=a,second=b";
  const problem = `must be ${allowed}`;
  const schema = v.union(
    [
      v.pipe(
        v.string(problem),
        v.regex(pairsPattern("[^\\s,]+"), problem),
        v.transform((text) => {
          const byName = Map.groupBy(pairs(text), ([name]) => name);
          return new Map([...byName].map(([name, items]) => [name, items.map(([, value]) => value).join(",")]));
        }),
      ),
      v.pipe(
        v.record(v.string(), v.pipe(v.string(problem), v.regex(/^[^\s,]+$/, problem)), problem),
        v.transform((record) => new Map(Object.entries(record))),
      ),
    ],
    problem,
  );
  return declareSetting(schema, declaration, { variable, allowed, ...plain });
}

function pairsPattern(value: string): RegExp {
  const item = `\\s*([^=\\s,]+\\s*=\\s*${value}\\s*)?`;
  return new RegExp(`^${item}(,${item})*$`);
}

/** The items of `name=value,other=value`. Values may contain `=`. */
function pairs(text: string): [name: string, value: string][] {
  return split(text).map((item) => {
    const at = item.indexOf("=");
    return [item.slice(0, at).trim(), item.slice(at + 1).trim()];
  });
}

function split(text: string): readonly string[] {
  return text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}
