import { fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { BadRequestSchema } from "../../gen/google/rpc/error_details_pb.js";
import { startGrpcUpstream } from "../test/support/grpc-upstream.ts";
import { rawRequest } from "../test/support/raw-request.ts";
import { startProgram, testDescriptorSet } from "../test/support/start-program.ts";
import { startTestServer, testSpec } from "../test/support/test-api.ts";

/** Violations in proto names, as validation reports them, including fields that the request does not have. */
const fieldViolations = [
  { field: "book.publisher.street_line", description: "is empty" },
  { field: 'book.labels["book_id"]', description: "is empty; book_id: is" },
  { field: "book_id", description: "is taken" },
  { field: "book", description: "is too heavy" },
  { field: "book.page_count", description: "is negative" },
  { field: "the librarian", description: "is ill" },
];
const refuse = (): never => {
  const message = fieldViolations.map(({ field, description }) => `${field}: ${description}`).join("; ");
  throw new ConnectError(message, Code.InvalidArgument, undefined, [
    { desc: BadRequestSchema, value: { fieldViolations } },
  ]);
};
const refuseStream = async function* (): AsyncGenerator<never> {
  yield* [];
  throw new ConnectError("page_token: is old; resume_token: is old", Code.InvalidArgument, undefined, [
    {
      desc: BadRequestSchema,
      value: {
        fieldViolations: [
          { field: "page_token", description: "is old" },
          { field: "resume_token", description: "is old" },
        ],
      },
    },
  ]);
};
const specs = [testSpec("Library", { createBook: refuse, watchBooks: refuseStream as never })];

const rest = {
  fields: ["publisher.streetLine", 'labels["book_id"]', "bookId", "", "book.page_count", "the librarian"],
  message:
    'publisher.streetLine: is empty; labels["book_id"]: is empty; book_id: is; bookId: is taken; the body: is too heavy; ' +
    "book.page_count: is negative; the librarian: is ill",
};
const connectJson = {
  fields: ["book.publisher.streetLine", 'book.labels["book_id"]', "bookId", "book", "book.page_count", "the librarian"],
  message:
    'book.publisher.streetLine: is empty; book.labels["book_id"]: is empty; book_id: is; bookId: is taken; book: is too heavy; ' +
    "book.page_count: is negative; the librarian: is ill",
};
const proto = {
  fields: fieldViolations.map(({ field }) => field),
  message: fieldViolations.map(({ field, description }) => `${field}: ${description}`).join("; "),
};

interface StatusJson {
  readonly message: string;
  readonly details: readonly { value?: string; fieldViolations?: { field: string }[] }[];
}

const summaryOf = (text: string) => {
  const { message, details } = JSON.parse(text) as StatusJson;
  const violations = details.flatMap(
    ({ fieldViolations: inline, value = "" }) =>
      inline ?? fromBinary(BadRequestSchema, Buffer.from(value, "base64")).fieldViolations,
  );
  return { message, fields: violations.map(({ field }) => field ?? "") };
};

describe.each(["the gateway", "the program in front of a gRPC server"])("an error of %s names fields", (where) => {
  const started = new AsyncDisposableStack();
  let url: string;

  beforeAll(async () => {
    if (where === "the gateway") {
      url = started.use(await startTestServer({ specs })).url;
      return;
    }
    const upstream = started.use(await startGrpcUpstream(specs));
    url = started.use(await startProgram(["--descriptor-set", testDescriptorSet, "--upstream", upstream.address])).url;
  });
  afterAll(() => started.disposeAsync());

  const post = async (path: string, type: string, body: string | Buffer) =>
    (await rawRequest(url, path, { method: "POST", headers: { "content-type": type }, body })).body.toString();

  test("on REST as in the body, the query and the path", async () => {
    expect(summaryOf(await post("/v1/shelves/1/books", "application/json", "{}"))).toEqual(rest);
  });

  test("on REST as in the query, for a stream", async () => {
    const answer = await rawRequest(url, "/v1/books:watch?count=1");
    expect(summaryOf(answer.body.toString())).toEqual({
      fields: ["page_token", "resumeToken"],
      message: "page_token: is old; resumeToken: is old",
    });
  });

  test("on Connect as in the JSON of the request", async () => {
    const path = "/gateway.test.v1.Library/CreateBook";
    expect(summaryOf(await post(path, "application/json", "{}"))).toEqual(connectJson);
  });

  test("on Connect with JSON as in the JSON of the request, for a stream", async () => {
    const message = Buffer.from('{"count":1}');
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    const path = "/gateway.test.v1.Library/WatchBooks";
    const answer = await post(path, "application/connect+json", Buffer.concat([head, message]));
    const { error } = JSON.parse(answer.slice(answer.indexOf("{"))) as { error: StatusJson };
    expect(summaryOf(JSON.stringify(error))).toEqual({
      fields: ["page_token", "resumeToken"],
      message: "page_token: is old; resumeToken: is old",
    });
  });

  test("on Connect with binary messages as in the contract", async () => {
    expect(summaryOf(await post("/gateway.test.v1.Library/CreateBook", "application/proto", ""))).toEqual(proto);
  });
});

test("an error of the gateway itself names fields as in the request", async () => {
  await using server = await startTestServer();
  const answer = await rawRequest(server.url, "/v1/shelves/1/books?book.title=x&book_id=1&bookId=2", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"publisher":{"street_line":1}}',
  });
  expect(summaryOf(answer.body.toString()).fields).toEqual(["publisher.streetLine"]);
  const query = await rawRequest(server.url, "/v1/shelves/1/books?book.title=x&book_id=1&bookId=2", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  expect(summaryOf(query.body.toString()).fields).toEqual(["book.title", "bookId"]);
});
