import type { OutgoingHttpHeaders } from "node:http";

/** A request to the example API, and this gateway's response. */
export interface ExampleCase {
  readonly method: string;
  /** `{uuid}` is the id of an object created before. */
  readonly path: string;
  readonly body?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly status: number;
  /** Expected JSON of the response, compared by `toMatchObject`; for a stream an array of its lines. */
  readonly json?: unknown;
  /** The whole response, if it is not JSON. */
  readonly text?: string;
  /**
   * The row of the README's table that describes grpc-gateway's different response. If undefined, both respond the
   * same.
   */
  readonly differs?: string;
}

const everything = "/v1/example/a_bit_of_everything";
const scalars =
  "1.5/2.5/-4294967296/separator/9223372036854775807/-2147483648/9223372036854775807/4294967295/true/strprefix/foo/" +
  "4294967295/2147483647/-4611686018427387904/2147483647/4611686018427387903/camelCase";

/** The order matters: some cases depend on objects created by others. */
export const exampleCases: readonly ExampleCase[] = [
  // Path variables of every scalar type.
  {
    method: "POST",
    path: `${everything}/${scalars}/ONE/DEF/JKL/ZERO`,
    status: 200,
    json: {
      floatValue: 1.5,
      doubleValue: 2.5,
      int64Value: "-4294967296",
      uint64Value: "9223372036854775807",
      int32Value: -2147483648,
      fixed64Value: "9223372036854775807",
      fixed32Value: 4294967295,
      boolValue: true,
      stringValue: "strprefix/foo",
      uint32Value: 4294967295,
      sfixed32Value: 2147483647,
      sfixed64Value: "-4611686018427387904",
      sint32Value: 2147483647,
      sint64Value: "4611686018427387903",
      nonConventionalNameValue: "camelCase",
      enumValue: "ONE",
      pathEnumValue: "DEF",
      nestedPathEnumValue: "JKL",
      enumValueAnnotation: "ZERO",
    },
  },
  {
    method: "POST",
    path: `${everything}/${scalars}/1/1/1/0`,
    status: 200,
    json: { enumValue: "ONE", pathEnumValue: "DEF" },
  },
  { method: "POST", path: `${everything}/${scalars.replace("/2.5/", "/x/")}/1/1/1/0`, status: 400, json: { code: 3 } },
  { method: "POST", path: `${everything}/${scalars}/1/1/1/TWO`, status: 400, json: { code: 3 } },

  // Bodies.
  {
    method: "POST",
    path: everything,
    body: JSON.stringify({
      floatValue: 1.5,
      int64Value: "4294967296",
      uint64Value: 5,
      bytesValue: "132456",
      singleNested: { name: "bar", amount: 10, ok: "TRUE" },
      nested: [{ name: "bar", amount: 10 }, { name: "baz" }],
      repeatedStringValue: ["a", "b"],
      oneofString: "x",
      mapValue: { a: "ONE", b: 0 },
      mappedStringValue: { a: "x" },
      mappedNestedValue: { a: { name: "x", amount: 1 } },
      timestampValue: "2016-05-10T10:19:13.123Z",
      repeatedEnumValue: ["ONE", "ZERO"],
      required_field_behavior_json_name_custom: "custom",
      optionalStringValue: "",
    }),
    status: 200,
    json: {
      int64Value: "4294967296",
      uint64Value: "5",
      bytesValue: "13245w==",
      singleNested: { name: "bar", amount: 10, ok: "TRUE" },
      nested: [{ name: "bar" }, { name: "baz", amount: 0, ok: "FALSE" }],
      oneofString: "x",
      mapValue: { a: "ONE", b: "ZERO" },
      mappedNestedValue: { a: { name: "x", amount: 1, ok: "FALSE" } },
      timestampValue: "2016-05-10T10:19:13.123Z",
      repeatedEnumValue: ["ONE", "ZERO"],
      required_field_behavior_json_name_custom: "custom",
      optionalStringValue: "",
    },
  },
  {
    method: "POST",
    path: everything,
    body: '{"single_nested":{"name":"n"},"required_field_behavior_json_name":"x","oneofEmpty":{}}',
    status: 200,
    json: { singleNested: { name: "n" }, required_field_behavior_json_name_custom: "x", oneofEmpty: {} },
  },
  { method: "POST", path: everything, body: "", status: 200, json: { stringValue: "" } },
  { method: "POST", path: everything, body: "{bad", status: 400, json: { code: 3 } },
  { method: "POST", path: everything, body: '{"oneofString":"a","oneofEmpty":{}}', status: 400, json: { code: 3 } },
  {
    method: "POST",
    path: everything,
    body: '{"nope":1}',
    status: 400,
    json: { code: 3, message: "nope: unknown field" },
    differs: "unknown query parameter or field",
  },

  // One resource.
  {
    method: "GET",
    path: `${everything}/{uuid}`,
    status: 200,
    json: { stringValue: "made before", singleNested: { amount: 3 } },
  },
  { method: "HEAD", path: `${everything}/{uuid}`, status: 200, text: "" },
  { method: "HEAD", path: `${everything}/none`, status: 404, text: "" },
  { method: "GET", path: `${everything}/none`, status: 404, json: { code: 5, message: "not found", details: [] } },
  { method: "OPTIONS", path: `${everything}/{uuid}`, status: 200, json: {} },
  { method: "TRACE", path: `${everything}/{uuid}`, status: 200, json: { stringValue: "" } },
  { method: "DELETE", path: everything, status: 405, json: { code: 12 }, differs: "wrong method" },
  { method: "POST", path: `${everything}/{uuid}:custom`, status: 200, json: {} },
  { method: "POST", path: `${everything}/{uuid}:custom:custom`, status: 200, json: {} },
  { method: "POST", path: `${everything}/none:custom`, status: 404, json: { code: 5 } },
  { method: "GET", path: `${everything}/custom/abc`, status: 404, json: { code: 5, message: "not found" } },
  { method: "PUT", path: `${everything}/{uuid}`, body: '{"int32Value":7}', status: 200, json: {} },
  {
    method: "PUT",
    path: `${everything}/{uuid}`,
    body: '{"uuid":"other"}',
    status: 400,
    json: { message: "uuid: the body and the path do not agree" },
    differs: "body and path that differ",
  },
  { method: "PUT", path: `${everything}/entity/e1`, body: '{"otherField":"x"}', status: 200, json: {} },

  // Updates by mask; the server applies it.
  {
    method: "PUT",
    path: "/v2/example/a_bit_of_everything/{uuid}",
    body: '{"int32Value":8,"singleNested":{"name":"kept","amount":1}}',
    status: 200,
    json: {},
  },
  {
    method: "PATCH",
    path: "/v2/example/a_bit_of_everything/{uuid}",
    body: '{"singleNested":{"amount":5},"stringValue":"set"}',
    status: 200,
    json: {},
  },
  {
    method: "GET",
    path: `${everything}/{uuid}`,
    status: 200,
    json: { int32Value: 8, stringValue: "set", singleNested: { name: "kept", amount: 5 } },
  },
  {
    method: "PATCH",
    path: "/v2/example/a_bit_of_everything/{uuid}?updateMask=string_value",
    body: '{"stringValue":"masked","int32Value":99}',
    status: 200,
    json: {},
  },
  {
    method: "PATCH",
    path: "/v2a/example/a_bit_of_everything/{uuid}",
    body: '{"abe":{"floatValue":7.5},"updateMask":"floatValue"}',
    status: 200,
    json: {},
  },
  {
    method: "GET",
    path: `${everything}/{uuid}`,
    status: 200,
    json: { int32Value: 8, stringValue: "masked", floatValue: 7.5 },
  },
  {
    method: "PATCH",
    path: "/v1/example/echo_patch",
    body: '{"valueField":null}',
    status: 200,
    json: { body: { valueField: null }, updateMask: "valueField" },
  },
  { method: "PATCH", path: "/v1/example/echo_patch", body: "{}", status: 200, json: { updateMask: "" } },
  {
    method: "PATCH",
    path: "/v1/example/echo_patch",
    body: '{"structField":{"a":{"b":1}}}',
    status: 200,
    json: { body: { structField: { a: { b: 1 } } }, updateMask: "structField" },
    differs: "mask of a Struct",
  },
  {
    method: "PATCH",
    path: "/v1/example/non_standard/update?update_mask=id,Num,line_num,langIdent,STATUS,en_GB,no,thing",
    body: '{"id":"foo","Num":"1","line_num":"42","langIdent":"English","STATUS":"good","en_GB":"1","no":"yes","thing":{"subThing":{"sub_value":"hi"}}}',
    status: 200,
    json: {
      id: "foo",
      Num: "1",
      lineNum: "42",
      langIdent: "English",
      STATUS: "good",
      enGB: "1",
      thing: { subThing: { subValue: "hi" } },
    },
  },
  {
    method: "PATCH",
    path: "/v1/example/non_standard/update_with_json_names",
    body: '{"ID":"foo","Num":"1","LineNum":"42","status":"good","En_GB":"1","yes":"no","Thingy":{"SubThing":{"sub_Value":"hi"}}}',
    status: 200,
    json: {
      ID: "foo",
      Num: "1",
      LineNum: "42",
      status: "good",
      En_GB: "1",
      yes: "no",
      Thingy: { SubThing: { sub_Value: "hi" } },
    },
  },
  {
    method: "POST",
    path: "/v1/publishers/p/books?bookId=b",
    body: '{"id":"1"}',
    status: 201,
    json: { name: "", id: "" },
    differs: "POST that makes a resource",
  },
  {
    method: "PATCH",
    path: "/v1/publishers/p/books/b?allowMissing=true&updateMask=id,createTime",
    body: '{"id":"1"}',
    status: 200,
  },
  {
    method: "POST",
    path: "/v1/publishers/p/books",
    body: '{"id":"1"}',
    status: 201,
    json: { name: "" },
    differs: "unset message field",
  },

  // Query parameters.
  {
    method: "GET",
    path:
      `${everything}/params/get/foo?singleNested.amount=5&floatValue=1.5&doubleValue=-1e300&int64Value=-9223372036854775808` +
      "&uint64Value=18446744073709551615&int32Value=-5&fixed64Value=1&fixed32Value=2&boolValue=true&bytesValue=AQI%3D" +
      "&uint32Value=3&sfixed32Value=-1&sfixed64Value=-2&sint32Value=-3&sint64Value=-4&optionalStringValue=" +
      "&timestampValue=2016-05-10T10:19:13.123Z&enumValue=ONE&pathEnumValue=1&string_value=a+b%20c" +
      "&repeatedStringValue=a,b&repeatedStringValue=c&repeatedEnumValue=1&repeatedEnumValue=ZERO&oneofString=o",
    status: 200,
    json: {
      singleNested: { name: "foo", amount: 5 },
      doubleValue: -1e300,
      int64Value: "-9223372036854775808",
      uint64Value: "18446744073709551615",
      bytesValue: "AQI=",
      optionalStringValue: "",
      timestampValue: "2016-05-10T10:19:13.123Z",
      enumValue: "ONE",
      pathEnumValue: "DEF",
      stringValue: "a b c",
      repeatedStringValue: ["a,b", "c"],
      repeatedEnumValue: ["ONE", "ZERO"],
      oneofString: "o",
    },
  },
  {
    method: "GET",
    path: `${everything}/params/get/foo?mapValue[a]=ONE&mapValue[b]=0&mappedStringValue[c.d]=e`,
    status: 200,
    json: { mapValue: { a: "ONE", b: "ZERO" }, mappedStringValue: { "c.d": "e" } },
  },
  {
    method: "GET",
    path: `${everything}/params/get/foo?floatValue=NaN&doubleValue=-Infinity`,
    status: 200,
    json: { floatValue: "NaN", doubleValue: "-Infinity" },
  },
  {
    method: "GET",
    path: `${everything}/params/get/foo?required_field_behavior_json_name=z`,
    status: 200,
    json: { required_field_behavior_json_name_custom: "z" },
  },
  { method: "GET", path: `${everything}/params/get/foo?int32Value=x`, status: 400, json: { code: 3 } },
  { method: "GET", path: `${everything}/params/get/foo?int32Value=1&int32Value=2`, status: 400, json: { code: 3 } },
  { method: "GET", path: `${everything}/params/get/foo?enumValue=TWO`, status: 400, json: { code: 3 } },
  {
    method: "GET",
    path: `${everything}/params/get/foo?enumValue=7`,
    status: 200,
    json: { enumValue: 7 },
    differs: "unknown number of an open enum in the query",
  },
  { method: "GET", path: `${everything}/params/get/foo?floatValue=inf`, status: 400, json: { code: 3 } },
  { method: "GET", path: `${everything}/params/get/foo?timestampValue=yesterday`, status: 400, json: { code: 3 } },
  { method: "GET", path: `${everything}/params/get/foo?nested.name=c`, status: 400, json: { code: 3 } },
  {
    method: "GET",
    path: `${everything}/params/get/foo?nope=1`,
    status: 400,
    json: { code: 3 },
    differs: "unknown query parameter or field",
  },
  {
    method: "GET",
    path: `${everything}/params/get/foo?boolValue=1`,
    status: 400,
    json: { code: 3 },
    differs: "booleans in path and query",
  },
  {
    method: "GET",
    path: `${everything}/params/get/foo?singleNested.name=other`,
    status: 400,
    json: { code: 3 },
    differs: "query for what path or body sets",
  },
  {
    method: "GET",
    path: `${everything}/params/get/nested_enum/TRUE`,
    status: 200,
    json: { singleNested: { ok: "TRUE" } },
  },
  { method: "GET", path: `${everything}/params/get/nested_enum/MAYBE`, status: 400, json: { code: 3 } },
  {
    method: "POST",
    path: `${everything}/params/post/foo?int32Value=4`,
    body: '{"name":"n","amount":2}',
    status: 200,
    json: { stringValue: "foo", int32Value: 4, singleNested: { name: "n", amount: 2 } },
  },
  {
    method: "POST",
    path: `${everything}/params/post/foo?singleNested.amount=9`,
    body: '{"name":"n"}',
    status: 400,
    json: { code: 3 },
    differs: "query for what path or body sets",
  },
  {
    method: "POST",
    path: `${everything}/params/post/foo`,
    body: "",
    status: 200,
    json: { stringValue: "foo" },
    differs: "no body for a message field",
  },
  { method: "GET", path: `${everything}/query/{uuid}?stringValue=q&mapValue[a]=ONE`, status: 200, json: {} },
  { method: "GET", path: `${everything}/{uuid}`, status: 200, json: { stringValue: "q", mapValue: { a: "ONE" } } },

  // Escapes.
  { method: "GET", path: `${everything}/echo/caf%C3%A9%20%E2%9C%93`, status: 200, json: { value: "café ✓" } },
  { method: "GET", path: `${everything}/echo/a+b`, status: 200, json: { value: "a+b" } },
  { method: "GET", path: `${everything}/echo/foo%252F`, status: 200, json: { value: "foo%2F" } },
  {
    method: "GET",
    path: `${everything}/echo/foo%2Fbar`,
    status: 200,
    json: { value: "foo/bar" },
    differs: "`%2F` in a variable of one segment",
  },
  { method: "GET", path: `${everything}//x`, status: 404, json: { code: 5 }, differs: "empty segments" },
  {
    method: "GET",
    path: `${everything}/echo/%zz`,
    status: 400,
    json: { code: 3 },
    differs: "malformed percent-encoding",
  },

  // Additional bindings, deep paths, verbs, enums.
  { method: "POST", path: "/v2/example/echo", body: '"hi"', status: 200, json: { value: "hi" } },
  { method: "POST", path: "/v2/example/echo", body: "5", status: 400, json: { code: 3 } },
  { method: "GET", path: "/v2/example/echo?value=q", status: 200, json: { value: "q" } },
  {
    method: "GET",
    path: "/v2/example/echo",
    status: 400,
    json: { code: 3 },
    differs: "required field of proto2 not set",
  },
  {
    method: "POST",
    path: "/v1/example/deep_path/foo",
    body: '{"singleNested":{"amount":4},"int32Value":1}',
    status: 200,
    json: { singleNested: { name: "foo", amount: 4 }, int32Value: 1 },
  },
  {
    method: "POST",
    path: "/v1/example/deep_path/foo",
    body: '{"singleNested":{"name":"other"}}',
    status: 400,
    json: { code: 3 },
    differs: "body and path that differ",
  },
  { method: "GET", path: "/v2/DEF:check", status: 200, json: {} },
  { method: "GET", path: "/v2/1:check", status: 200, json: {} },
  { method: "GET", path: "/v2/NOPE:check", status: 400, json: { code: 3 } },
  { method: "GET", path: "/v3/JKL:check", status: 200, json: {} },
  { method: "GET", path: "/v2/DEF:nope", status: 404, json: { code: 5 } },
  {
    method: "POST",
    path: "/v1/example/oneofenum",
    body: '"EXAMPLE_ENUM_FIRST"',
    status: 200,
    json: {},
    differs: "enum as the whole body",
  },
  { method: "POST", path: "/v1/example/oneofenum", body: '"NOPE"', status: 400, json: { code: 3 } },
  {
    method: "POST",
    path: "/v1/example/requiredmessagetype",
    body: '{"id":"1","foo":{"bar":{"id":"2"}}}',
    status: 200,
    json: {},
  },
  { method: "POST", path: "/v1/example/echo/i?num=3&lang=de", status: 200, json: { id: "i", num: "3", lang: "de" } },
  { method: "GET", path: "/v1/example/echo/i/5/en", status: 200, json: { id: "i", num: "5", lang: "en" } },
  {
    method: "GET",
    path: "/v1/example/echo1/i/5/note",
    status: 200,
    json: { id: "i", lineNum: "5", status: { note: "note" } },
  },
  { method: "GET", path: "/v1/example/echo1/i/5/note?lang=x", status: 400, json: { code: 3 } },
  { method: "GET", path: "/v1/example/echo2/n", status: 200, json: { no: { note: "n" } } },
  { method: "GET", path: "/v1/example/echo/resource/r", status: 200, json: { resourceId: "r" } },
  { method: "GET", path: "/v1/example/echo/nested/n?nId.val=v", status: 200, json: { nId: { nId: "n", val: "v" } } },
  {
    method: "POST",
    path: "/v1/example/echo_body",
    body: '{"id":"x","lineNum":"3","status":{"progress":"4"}}',
    status: 200,
    json: { lineNum: "3", status: { progress: "4" } },
  },
  {
    method: "PUT",
    path: "/v1/example/echo_body/x?num=2&status.note=z",
    body: '{"progress":"1"}',
    status: 200,
    json: { id: "x", num: "2", status: { note: "z" }, no: { progress: "1" } },
  },
  { method: "DELETE", path: "/v1/example/echo_delete?id=1", status: 200, json: { id: "1" } },
  {
    method: "POST",
    path: "/v1/example/echo/i",
    body: '{"num":4}',
    status: 400,
    json: { code: 3 },
    differs: "body where the rule has none",
  },
  {
    method: "POST",
    path: "/v1/example/echo_status",
    body: '{"id":"1","subStatus":{"code":4,"message":"m"},"sub2Status":{"errorCode":"E"}}',
    status: 200,
    json: { result: "ok", subStatus: { code: 4 } },
  },
  {
    method: "POST",
    path: "/v1/example/echo_status",
    body: '{"subStatus":{"message":"m"}}',
    status: 400,
    json: { code: 3 },
  },
  { method: "POST", path: "/rpc/path-nested/x/y/rpc", body: '"c"', status: 200, json: {} },
  { method: "POST", path: "/rpc/body/path/a/query/rpc?b=2", body: '"c"', status: 200, json: {} },

  // Response bodies.
  { method: "GET", path: "/responsebody/x", status: 200, json: { data: "x" } },
  { method: "GET", path: "/responsebodies/x", status: 200, json: [{ data: "x", type: "UNKNOWN" }] },
  { method: "GET", path: "/responsestrings/x", status: 200, json: ["hello", "x"] },
  { method: "GET", path: "/responsestrings/empty", status: 200, json: [] },
  { method: "GET", path: "/responsebody/samename/x", status: 200, text: '"x"' },
  { method: "GET", path: "/responsebody/importedtype/x", status: 200, text: '"x"' },
  {
    method: "GET",
    path: "/responsebody/stream/x",
    status: 200,
    json: [{ data: "first x" }, { data: "second x" }],
    differs: "message of a stream",
  },

  // Errors, deadlines, content types.
  {
    method: "GET",
    path: "/v2/example/errorwithdetails",
    status: 500,
    json: {
      code: 2,
      message: "with details",
      details: [
        { "@type": "type.googleapis.com/google.rpc.DebugInfo", stackEntries: ["foo:1"], detail: "error debug details" },
      ],
    },
  },
  {
    method: "GET",
    path: "/v1/example/echo_unauthorized",
    status: 401,
    json: { code: 16, message: "unauthorized err" },
  },
  { method: "GET", path: "/v2/example/timeout", headers: { "grpc-timeout": "x" }, status: 400, json: { code: 3 } },
  { method: "GET", path: "/nope", status: 404, json: { code: 5 } },
  { method: "POST", path: "/v2/example/withbody/1", body: '{"name":"d"}', status: 200, json: {} },
  { method: "POST", path: "/v2/example/postwithemptybody/n", body: "", status: 200, json: {} },
  { method: "POST", path: "/v2/example/overwriterequestcontenttype", body: '{"name":"x"}', status: 200, json: {} },
  {
    method: "POST",
    path: "/v2/example/overwriterequestcontenttype",
    body: '{"name":"x"}',
    headers: { "content-type": "application/x-bar-mime" },
    status: 415,
    json: { code: 3 },
    differs: "content type",
  },
  { method: "GET", path: "/v2/example/overwriteresponsecontenttype", status: 200, text: '""' },
  { method: "GET", path: "/v1/example/checkStatus", status: 200, json: { status: { code: 0 } } },

  // Streams.
  {
    method: "POST",
    path: `${everything}/bulk`,
    body: '{"stringValue":"a"}\n{"stringValue":"b"}',
    status: 200,
    json: {},
  },
  {
    method: "POST",
    path: `${everything}/bulk`,
    body: '{"stringValue":"a"}\n{"int32Value":"x"}',
    status: 400,
    json: { code: 3 },
  },
  { method: "POST", path: `${everything}/bulk`, body: "", status: 200, json: {} },
  { method: "POST", path: `${everything}/echo`, body: "", status: 200, text: "" },
  {
    method: "POST",
    path: `${everything}/echo`,
    body: '{"value":"a"}\n{"value":"b"}',
    status: 200,
    json: [{ value: "a" }, { value: "b" }],
    differs: "message of a stream",
  },
  {
    method: "POST",
    path: `${everything}/echo_duration`,
    body: '"1s"\n"2.5s"',
    status: 200,
    json: ["1s", "2.500s"],
    differs: "message of a stream",
  },
  { method: "POST", path: "/stream/empty/rpc", body: "{}\n{}", status: 200, json: {} },
  { method: "GET", path: "/v1/example/download", status: 200, text: "Hello 1Hello 2", differs: "stream of HttpBody" },

  // Rules that http.proto forbids, or that grpc-gateway does not serve.
  {
    method: "POST",
    path: `${everything}/nested_body_oneof`,
    body: '"x"',
    status: 405,
    json: { code: 12 },
    differs: "rule that http.proto forbids",
  },
  {
    method: "GET",
    path: "/v1/example/a_bit_of_everything_repeated/1,2/1/1/1/1/1/1/true/a,b/AQ/1/ONE/1/1/1/1",
    status: 404,
    json: { code: 5 },
    differs: "rule that http.proto forbids",
  },
  {
    method: "POST",
    path: "/grpc.gateway.examples.internal.proto.examplepb.EchoService/Echo",
    body: '{"id":"1"}',
    status: 200,
    json: { id: "1" },
    differs: "methods at `/package.Service/Method`",
  },

  // Last, because it deletes an object that other cases use.
  { method: "DELETE", path: `${everything}/{uuid}`, status: 200, json: {} },
  { method: "DELETE", path: `${everything}/{uuid}`, status: 404, json: { code: 5, message: "not found" } },
];
