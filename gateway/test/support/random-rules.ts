import fc from "fast-check";

/** Rules of one kind in the form that their message takes, and values to test them with. */
export interface RulesAndValues {
  readonly set: Record<string, unknown>;
  readonly values: readonly unknown[];
}

/** Generates rules for a kind of value. Bounds and lists use the same few values as the tests. */
export function rulesAndValues(kind: string): fc.Arbitrary<RulesAndValues> {
  const value = valueOfKind(kind);
  const values = fc.array(value, { minLength: 12, maxLength: 12 });
  // Nothing compares to NaN, so no useful rule contains it.
  const inRules = value.filter((number) => !Number.isNaN(number));
  return fc.record({ set: rulesOfKind(kind, inRules), values });
}

function rulesOfKind(kind: string, value: fc.Arbitrary<unknown>): fc.Arbitrary<Record<string, unknown>> {
  const list = fc.array(value, { minLength: 1, maxLength: 3 });
  switch (kind) {
    case "bool":
      return fc.record({ const: value });
    case "enum":
      return optional({ const: value, in: list, notIn: list, definedOnly: fc.boolean() });
    case "string":
      return optional({ ...lists(list), const: value, ...stringRules });
    case "bytes":
      return optional({ ...lists(list), ...bytesRules });
    case "any":
      return optional({ in: fc.array(typeUrl, { minLength: 1 }), notIn: fc.array(typeUrl, { minLength: 1 }) });
    case "fieldMask": {
      const paths = fc.array(path, { minLength: 1, maxLength: 3 });
      return optional({ const: value, in: paths, notIn: paths });
    }
    default: {
      const bound = (...names: string[]) => fc.record({ case: fc.constantFrom(...names), value });
      const rules = { ...lists(list), const: value, lessThan: bound("lt", "lte"), greaterThan: bound("gt", "gte") };
      const isFloat = kind === "float" || kind === "double";
      return fc.oneof(
        optional({ lessThan: rules.lessThan, greaterThan: rules.greaterThan }),
        optional(isFloat ? { ...rules, finite: fc.boolean() } : rules),
      );
    }
  }
}

function lists(list: fc.Arbitrary<unknown[]>) {
  return { in: list, notIn: list };
}

function optional(rules: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Record<string, unknown>> {
  // Few rules at a time: many together reject everything.
  return fc
    .uniqueArray(fc.constantFrom(...Object.keys(rules)), { minLength: 1, maxLength: 2 })
    .chain((names) => fc.record(Object.fromEntries(names.map((name) => [name, rules[name] ?? fc.constant(0)]))));
}

const size = fc.integer({ min: 0, max: 6 }).map(BigInt);

const wellKnown = [
  ...["email", "hostname", "ip", "ipv4", "ipv6", "uri", "uriRef", "address", "uuid", "tuuid", "ulid", "hostAndPort"],
  ...["ipWithPrefixlen", "ipv4WithPrefixlen", "ipv6WithPrefixlen", "ipPrefix", "ipv4Prefix", "ipv6Prefix"],
  ...["protobufFqn", "protobufDotFqn"],
];

const piece = fc.constantFrom("a", "b.c", "é", "/", "-", "(", "+", "10.", "::");

const stringRules = {
  len: size,
  minLen: size,
  maxLen: size,
  lenBytes: size,
  minBytes: size,
  maxBytes: size,
  prefix: piece,
  suffix: piece,
  contains: piece,
  notContains: piece,
  pattern: fc.constantFrom("^[a-z]+$", "a.c", "\\d{2}", "^\\S*\\s", "[[:alpha:]]\\-", "(?i)A", "\\A\\w+\\z", "^.$"),
  wellKnown: fc.oneof(
    fc.record({ case: fc.constantFrom(...wellKnown), value: fc.constantFrom(true, true, true, false) }),
    fc.record({ case: fc.constant("wellKnownRegex"), value: fc.constantFrom(1, 2) }),
  ),
  strict: fc.boolean(),
};

const text = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      ...["", "a", "ab", "abc", "b.c", "é", "💧", "a💧é", "a\nb", "\u2028", "a\u00a0b", "a b", "+", "(a", "a-", "A-"],
      ...["10.0.0.1", "010.0.0.1", "256.0.0.1", "10.0.0", "10.0.0.0/8", "10.0.0.1/8", "10.0.0.0/33", "1.2.3.4/08"],
      ...["::1", "::", "2001:db8::1", "fe80::1%eth0", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9", "::ffff:10.0.0.1", "g::"],
      ...["2001:db8::/32", "2001:db8::1/32", "::/129", "example.com", "-a.com", "a-.com", "a.com.", "1.2", "a.1", "x"],
      ...["ada@example.com", "a..b@x", "@x", "a@-x", "http://a/b?c#d", "a:", "http:", "%zz", "/x%20y", "?q", "//h"],
      ...["6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6ba7b8109dad11d180b400c04fd430c8", "01ARZ3NDEKTSV4RRFFQ69G5FAV"],
      ...["8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "localhost:80", "[::1]:8080", "a:99999", "a:080", ":80", "10.0.0.1:1"],
      ...["a.b.c", ".a.b", "a..b", "1a", "_", "X-Foo", ":path", "foo: bar", "a\tb", "a\u007fb", "\u0000", "12", "a1"],
    ),
  },
  { weight: 1, arbitrary: fc.string({ maxLength: 8 }) },
);

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 6 }),
  fc.constantFrom(Uint8Array.of(), Uint8Array.of(255, 255, 255), new Uint8Array(4), new Uint8Array(16)),
);

const someBytes = fc.oneof(
  fc.constantFrom(Uint8Array.of(255), Uint8Array.of(0), Uint8Array.of(0, 0), Uint8Array.of(255, 255)),
  fc.uint8Array({ maxLength: 2 }),
);

const bytesRules = {
  const: bytes,
  len: size,
  minLen: size,
  maxLen: size,
  prefix: someBytes,
  suffix: someBytes,
  contains: someBytes,
  wellKnown: fc.record({ case: fc.constantFrom("ip", "ipv4", "ipv6", "uuid"), value: fc.boolean() }),
};

const typeUrl = fc.constantFrom(
  "type.googleapis.com/google.protobuf.Duration",
  "type.googleapis.com/google.protobuf.BoolValue",
);

const path = fc.constantFrom("a", "a.b", "b_c", "b_c.d", "ab");

function valueOfKind(kind: string): fc.Arbitrary<unknown> {
  switch (kind) {
    case "bool":
      return fc.boolean();
    case "enum":
      return fc.constantFrom(0, 1, 2);
    case "string":
      return text;
    case "bytes":
      return bytes;
    case "any":
      return typeUrl.map((url) => ({ typeUrl: url, value: new Uint8Array() }));
    case "fieldMask":
      return fc.uniqueArray(path, { maxLength: 3 }).map((paths) => ({ paths }));
    case "duration":
      return units.map((nanos) => ({ seconds: nanos / 1_000_000_000n, nanos: Number(nanos % 1_000_000_000n) }));
    case "timestamp":
      return instant;
    case "float":
    case "double":
      return fc.constantFrom(0, 1.5, -1.5, 2, -2, 1e10, -1e10, 0.5, Number.NaN, Infinity, -Infinity);
    default:
      return whole(kind);
  }
}

/** Nanoseconds with few nonzero digits, of either sign, close together and far apart. */
const units = fc.oneof(
  fc.constantFrom(0n, 1n, -1n, 999_999_999n, 1_000_000_000n, 1_500_000_000n, -1_500_000_000n, 50_000_000n),
  fc
    .tuple(fc.integer({ min: -120, max: 120 }), fc.constantFrom(1n, 1000n, 10_000_000n, 1_000_000_000n))
    .map(([count, unit]) => BigInt(count) * unit),
);

const instant = fc
  .oneof(
    fc.constantFrom(-62135596800n, 253402300799n, 0n, 1n, -1n, 951782400n, 1769860800n, 1769860801n, 1769947200n),
    fc.integer({ min: 0, max: 2 ** 31 }).map(BigInt),
  )
  .chain((seconds) =>
    fc.constantFrom(0, 1, 5000, 500_000_000, 120_000_000, 999_999_999).map((nanos) => ({ seconds, nanos })),
  );

function whole(kind: string): fc.Arbitrary<unknown> {
  const isUnsigned = /^(u|fixed)/.test(kind);
  const is64 = kind.endsWith("64");
  const bits = is64 ? 64 : 32;
  const most = isUnsigned ? 2n ** BigInt(bits) - 1n : 2n ** BigInt(bits - 1) - 1n;
  const least = isUnsigned ? 0n : -(2n ** BigInt(bits - 1));
  const near = [0n, 1n, 2n, 9n, 10n, 11n, 99n, 100n, 101n, 110n, 199n, 1000n, -1n, -9n, -10n, -11n, -100n, -101n];
  return fc
    .oneof(fc.constantFrom(...near, most, most - 1n, least, least + 1n), fc.bigInt({ min: least + 1n, max: most - 1n }))
    .map((value) => (value < least ? -value : value))
    .map((value) => (is64 ? value : Number(value)));
}
