import { create } from "@bufbuild/protobuf";
import { createContextValues, type UnaryRequest, type UnaryResponse } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { ProbeSchema, ProbeService } from "../call/testing/probe-service.ts";
import { readPositionKey } from "../context-values.ts";
import { createReadPosition } from "../db/read-position.ts";
import { createReadPositionInterceptor, readPositionHeader } from "./read-position.ts";

/** Calls through the interceptor of a process that has committed `own`. The service answers with `upstream`. */
async function call({ own = "", given = "", upstream = "" }) {
  const position = createReadPosition();
  let seen: string | undefined;
  const next = createReadPositionInterceptor(position)(async (request) => {
    seen = request.contextValues.get(readPositionKey);
    position.advance(own);
    const header = new Headers(upstream === "" ? {} : { [readPositionHeader]: upstream });
    return { stream: false, header, trailer: new Headers(), message: create(ProbeSchema) } as unknown as UnaryResponse;
  });
  const header = new Headers(given === "" ? {} : { [readPositionHeader]: given });
  const response = await next({
    stream: false,
    service: ProbeService,
    method: ProbeService.method.ask,
    header,
    contextValues: createContextValues(),
    message: create(ProbeSchema),
  } as unknown as UnaryRequest);
  return { seen, returned: response.header.get(readPositionHeader) };
}

test("a response has the position that includes the caller's, the process's and that of the service behind it", async () => {
  expect(await call({})).toEqual({ seen: "", returned: null });
  expect(await call({ own: "0-1-7" })).toEqual({ seen: "", returned: "0-1-7" });
  expect(await call({ own: "0-1-7", given: "0-1-9" })).toEqual({ seen: "0-1-9", returned: "0-1-9" });
  expect(await call({ given: "0-1-9", upstream: "0-1-12" })).toEqual({ seen: "0-1-9", returned: "0-1-12" });
  expect(await call({ own: "0-1-7", given: "0-1-x" })).toEqual({ seen: "", returned: "0-1-7" });
});
