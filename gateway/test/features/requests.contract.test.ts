import { create, createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createHttpHandler } from "../../http-handler.ts";
import { RouteError, routesOf } from "../../routing/http-rules.ts";
import { anySpec } from "../support/any-spec.ts";
import { rawRequest } from "../support/raw-request.ts";
import { type Loose, startTestServer, type TestServer, testRegistry, testService } from "../support/test-api.ts";
import { features } from "./features.ts";

const json = { "content-type": "application/json" };
let server: TestServer;
beforeAll(async () => {
  // OpenAPI has no operation for a rule of any method.
  server = await startTestServer({ json: { emitDefaults: false } }, (problem) => problem.includes(" /path/any "));
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const call = async (line: string, body?: string | Buffer, headers: Record<string, string> = json, to = server) => {
  const [method = "", path = ""] = line.split(" ");
  const answer = await rawRequest(to.url, path, { method, headers, ...(body === undefined ? {} : { body }) });
  const text = answer.body.toString();
  return { status: answer.status, headers: answer.headers, json: (text === "" ? {} : JSON.parse(text)) as Loose };
};

/** The fields named by an error. */
const fieldsOf = (answer: { json: Loose }): string[] =>
  (answer.json["details"] as { fieldViolations?: { field: string }[] }[])
    .flatMap((detail) => detail.fieldViolations ?? [])
    .map(({ field }) => field);

describe(features.templates, () => {
  test.each([
    ["/path/string/a%2Fb%20c", "a/b c"],
    ["/path/rest", ""],
    ["/path/rest/a%2Fb/c%20d", "a%2Fb/c d"],
    ["/path/rest/a/b:verb", "a/b"],
    ["/path/rest/a/b:other", "a/b:other"],
    ["/path/two/a/1/b/2/end", "a/1/b/2"],
  ])("GET %s binds %j", async (path, value) => {
    expect((await call(`GET ${path}`)).json["stringField"] ?? "").toBe(value);
  });

  test("a nested field, and a path that only a later branch matches", async () => {
    expect((await call("GET /path/deep/x")).json).toEqual({ nested: { child: { name: "x" } } });
    expect((await call("DELETE /v1/shelves/1/books/2")).status).toBe(200);
    for (const path of ["/path/string/", "/path/string//a", "/path/two/a/1/c/2/end", "/path/string/a/b"]) {
      expect((await call(`GET ${path}`)).status).toBe(404);
    }
  });
});

describe(features.bindings, () => {
  test("one method at each of its bindings", async () => {
    expect((await call("GET /v1/shelves/1/books/2")).json["name"]).toBe("shelves/1/books/2");
    expect((await call("GET /v1/books/b")).json["name"]).toBe("b");
    expect((await call("PUT /v1/shelves/1/books/2", "{}")).status).toBe(200);
  });

  test("a method of its own name, and any method", async () => {
    expect((await call("PROPFIND /path/custom")).status).toBe(200);
    expect((await call("GET /path/custom")).status).toBe(405);
    for (const method of ["GET", "POST", "MKCOL"]) expect((await call(`${method} /path/any`)).status).toBe(200);
  });
});

describe(features.bodies, () => {
  test.each([
    ["POST /echo", '{"stringField":"a"}', { stringField: "a" }],
    ["POST /echo:nested?string_field=q", '{"name":"n"}', { stringField: "q", nested: { name: "n" } }],
    ["POST /echo:list", '[{"name":"n"},{}]', { repeatedNested: [{ name: "n" }, {}] }],
    ["POST /echo:string", '"text"', { stringField: "text" }],
    ["POST /echo:map", '{"k":"v"}', { stringMap: { k: "v" } }],
    ["PUT /echo:part", '{"stringField":"a","nested":{"name":"n"}}', { name: "n" }],
  ])("%s accepts %s", async (line, body, expected) => {
    const answer = await call(line, body);
    expect(answer.json).toEqual(expected);
  });

  test("no body if the method takes none, a list if response_body is one", async () => {
    expect((await call("GET /v1/books/b", '{"name":"x"}')).status).toBe(400);
    expect((await call("GET /v1/shelves/1/books:only")).json).toHaveLength(2);
  });
});

describe(features.query, () => {
  test("parameters on an allow-list are dropped if they name no field; others are 400", async () => {
    await using other = await startTestServer({ queryParameters: ["$alt", "key", "string_field"] });
    const get = (query: string) => rawRequest(other.url, `/echo?${query}`);
    const answer = await get("$alt=json&%24alt=x&key=k&string_field=a");
    expect([answer.status, JSON.parse(answer.body.toString())]).toMatchObject([200, { stringField: "a" }]);
    expect((await get("$alt=json&other=1")).status).toBe(400);
    const post = (query: string) =>
      rawRequest(other.url, `/echo?${query}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: "{}",
      });
    expect((await post("key=k&%24alt=json")).status).toBe(200);
    expect((await post("key=k&bool_field=true")).status).toBe(400);
  });

  test.each([
    ["repeated_int32=2&repeatedInt32=1", { repeatedInt32: [2, 1] }],
    ["repeated_string=a,b", { repeatedString: ["a,b"] }],
    ["nested.child.name=a+b&nested.count=3", { nested: { child: { name: "a b" }, count: 3 } }],
    ["enum_field=KIND_NOVEL&optional_enum=2", { enumField: "KIND_NOVEL", optionalEnum: "KIND_MANUAL" }],
    ["timestamp=2026-01-02T03:04:05.5Z&duration=1.5s", { timestamp: "2026-01-02T03:04:05.500Z", duration: "1.500s" }],
    ["field_mask=a_b,cD.e", { fieldMask: "aB,cD.e" }],
    ["int64_value=9&string_value=&bool_value=false", { int64Value: "9", stringValue: "", boolValue: false }],
    ["string_map[a.b]=1&int32Map[7]=x", { stringMap: { "a.b": "1" }, int32Map: { 7: "x" } }],
    ["struct=%7B%22a%22:[1,null]%7D&value=%22x%22", { struct: { a: [1, null] }, value: "x" }],
    ["bytes_field=_-8&uint64_field=18446744073709551615", { bytesField: "/+8=", uint64Field: "18446744073709551615" }],
    ["double_field=-Infinity&float_field=NaN", { doubleField: "-Infinity", floatField: "NaN" }],
  ])("GET /echo?%s", async (query, expected) => {
    expect((await call(`GET /echo?${query}`)).json).toEqual(expected);
  });

  test.each([
    ["int32_field=1&int32_field=2", ["int32Field"]],
    ["oneof_string=a&oneof_int32=1", ["oneofInt32"]],
    ["repeated_nested=1", ["repeatedNested"]],
    ["enum_field=KIND_NONE&bool_field=1", ["enumField", "boolField"]],
  ])("GET /echo?%s is rejected for %j", async (query, fields) => {
    const answer = await call(`GET /echo?${query}`);
    expect(answer.status).toBe(400);
    expect(fieldsOf(answer)).toEqual(fields);
  });
});

describe(features.unknown, () => {
  test("every unknown name is reported with its path", async () => {
    expect(fieldsOf(await call("GET /echo?zzz=1&nested.yyy=2"))).toEqual(["zzz", "nested.yyy"]);
    const body = '{"zzz":1,"nested":{"child":{"yyy":2}},"repeatedNested":[{},{"x":3}]}';
    expect(fieldsOf(await call("POST /echo", body))).toEqual(["zzz", "nested.child.yyy", "repeatedNested[1].x"]);
  });

  test("the option drops them, and still rejects invalid known ones", async () => {
    await using lenient = await startTestServer({ lenient: true, json: { emitDefaults: false } });
    expect((await call("GET /echo?zzz=1&string_field=a", undefined, json, lenient)).json).toEqual({ stringField: "a" });
    expect((await call("POST /echo", '{"zzz":1,"stringField":"a"}', json, lenient)).json).toEqual({ stringField: "a" });
    expect((await call("POST /echo", '{"zzz":1,"int32Field":"a"}', json, lenient)).status).toBe(400);
  });
});

describe(features.wrongMethod, () => {
  test("405 names what is allowed", async () => {
    const answer = await call("POST /v1/books/b", "{}");
    expect(answer).toMatchObject({ status: 405, json: { code: 12, details: [{ reason: "METHOD_NOT_ALLOWED" }] } });
    expect(answer.headers["allow"]).toBe("GET, HEAD");
    expect((await call("GET /echo:nested")).headers["allow"]).toBe("POST");
  });

  test("HEAD is GET without the body, errors included", async () => {
    const get = await call("GET /v1/books/b");
    const head = await call("HEAD /v1/books/b");
    expect(head).toMatchObject({ status: 200, json: {} });
    for (const name of ["content-length", "content-type", "etag"]) expect(head.headers[name]).toBe(get.headers[name]);
    expect((await call("HEAD /echo?zzz=1")).status).toBe(400);
  });
});

describe(features.patch, () => {
  // The library returns the received mask in the book's tags.
  test.each([
    ['{"title":"T","author":null}', ["author", "title"]],
    ['{"publisher":{"city":null,"country":{"code":"DE"}}}', ["publisher.city", "publisher.country.code"]],
    ['{"labels":{"a":"b"},"tags":[],"publishTime":null}', ["labels", "publish_time", "tags"]],
    ["{}", []],
  ])("%s means %j", async (body, paths) => {
    expect((await call("PATCH /v1/shelves/1/books/2", body)).json["tags"] ?? []).toEqual(paths);
  });

  test("a mask in the request is kept, and PUT has none", async () => {
    expect((await call("PATCH /v1/shelves/1/books/2?update_mask=title", '{"author":"A"}')).json["tags"]).toEqual([
      "title",
    ]);
    expect((await call("PUT /v1/shelves/1/books/2", '{"title":"T"}')).json["tags"]).toEqual(["no mask"]);
  });
});

describe(features.clientStream, () => {
  test.each([
    ['{"name":"a"}\n{"name":"b"}\n', ["a", "b"]],
    ['[{"name":"a"},{"name":"b"}]', ["a", "b"]],
    [" [ ] ", []],
    ["", []],
  ])("%j", async (body, names) => {
    expect((await call("POST /v1/books:import", body)).json["names"] ?? []).toEqual(names);
  });

  test.each(['[{"name":"a"}', '[{"name":"a"},]', '[{"name":"a"}{"name":"b"}]', '{"name":"a"},', '{"name":"a"}]'])(
    "%s is invalid",
    async (body) => {
      const answer = await call("POST /v1/books:import", body);
      expect(answer).toMatchObject({ status: 400, json: { details: [{ reason: "MALFORMED_JSON" }, {}] } });
    },
  );

  test.each(["[[]]", "7"])("%s contains no message of this method", async (body) => {
    const answer = await call("POST /v1/books:import", body);
    expect(answer).toMatchObject({ status: 400, json: { details: [{ reason: "INVALID_REQUEST" }, {}] } });
  });
});

describe(features.forms, () => {
  test("form-urlencoded, under the rules of the query", async () => {
    const form = { "content-type": "application/x-www-form-urlencoded" };
    const body = "string_field=a+%26+b&nested.name=n&repeated_int32=1&repeated_int32=2&string_map%5Bk%5D=v";
    expect((await call("POST /echo", body, form)).json).toEqual({
      stringField: "a & b",
      nested: { name: "n" },
      repeatedInt32: [1, 2],
      stringMap: { k: "v" },
    });
    expect(fieldsOf(await call("POST /echo", "zzz=1&bool_field=x", form))).toEqual(["zzz", "boolField"]);
    for (const body of ["string_field=%zz", Buffer.from([0x61, 0x3d, 0xff])]) {
      expect((await call("POST /echo", body, form)).json).toMatchObject({
        details: [{ reason: "MALFORMED_FORM" }, {}],
      });
    }
  });

  test("multipart, with files verbatim", async () => {
    const form = new FormData();
    form.set("string_field", "ä\r\n--b");
    form.set("bytes_field", new Blob([new Uint8Array([0, 13, 10, 255])]), "x.bin");
    const answer = await fetch(`${server.url}/echo`, { method: "POST", body: form });
    expect(await answer.json()).toEqual({ stringField: "ä\r\n--b", bytesField: "AA0K/w==" });
  });
});

describe(features.bodyLimit, () => {
  const blanks = (bytes: number): string => `{}${" ".repeat(bytes - 2)}`;

  test("4 MiB are accepted, one byte more is 413", async () => {
    expect((await call("POST /echo", blanks(4 * 1024 * 1024))).status).toBe(200);
    const answer = await call("POST /echo", blanks(4 * 1024 * 1024 + 1));
    expect(answer).toMatchObject({
      status: 413,
      json: { code: 8, details: [{ reason: "REQUEST_TOO_LARGE", metadata: { limitBytes: "4194304" } }] },
    });
  });

  test("the limit is an option", async () => {
    await using small = await startTestServer({ maxBodyBytes: 10 });
    expect((await call("POST /echo", blanks(10), json, small)).status).toBe(200);
    expect((await call("POST /echo", blanks(11), json, small)).status).toBe(413);
  });
});

describe(features.ambiguity, () => {
  /** Creates a handler of the test API with one path replaced by another of equal length. */
  const serveWith = (from: string, to: string): unknown => {
    const set = create(FileDescriptorSetSchema, { file: [...testRegistry.files].map(({ proto }) => proto) });
    const bytes = Buffer.from(toBinary(FileDescriptorSetSchema, set));
    const at = bytes.indexOf(from);
    expect({ at: at > 0, length: Buffer.byteLength(from) }).toEqual({ at: true, length: Buffer.byteLength(to) });
    bytes.write(to, at);
    const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));
    const service = registry.getService("gateway.test.v1.Echo");
    if (service === undefined) throw new Error("no service");
    return createHttpHandler({ specs: [anySpec(service)], registry });
  };

  test.each([
    ["/path/int32/{int32_field}", "/path/bool//{int32_field}", /column 12/],
    ["/path/custom", "/path/{renam", /column/],
    ["/path/bool/{bool_field}", "/path/bool/{field_mask}", /column 12: variable "field_mask" is a message field/],
    ["/path/bool/{bool_field}", "/path/bool/{string_map}", /column 12: variable "string_map" is a repeated field/],
    ["/path/bool/{bool_field}", "/path/bool/{bool_fiend}", /column 12: .* has no field "bool_fiend"/],
    ["/path/pair/{string_field}/{nested.name}", "/path/pair/{nested.name}/{nested.name}a", /column/],
  ])("%s as %s", (from, to, message) => {
    expect(() => serveWith(from, to)).toThrow(RouteError);
    expect(() => serveWith(from, to)).toThrow(message);
  });

  test("two rules that match the same requests, whatever their variables are called", () => {
    expect(() => serveWith("/path/enum/{enum_field}", "/path/bool/{enum_field}")).toThrow(RouteError);
    expect(() => serveWith("/path/enum/{enum_field}", "/path/bool/{enum_field}")).toThrow(
      /matches the same requests as/,
    );
  });

  test("rules of different rank are not ambiguous", async () => {
    expect(routesOf(testService("Library").method["getBook"] as never)).toHaveLength(2);
    expect((await call("GET /v1/books:watch?count=0")).status).toBe(200);
    expect((await call("GET /v1/books/watch")).status).toBe(200);
  });
});
