import type { UnaryRequest, UnaryResponse } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { withReadPosition } from "./read-position.ts";

/** A client whose calls get the positions that the test answers with. */
function client() {
  const sent: (string | null)[] = [];
  const waiting: ((position: string | undefined) => void)[] = [];
  const next = withReadPosition()(async (request) => {
    sent.push(request.header.get("docket-read-position"));
    const position = await new Promise<string | undefined>((resolve) => waiting.push(resolve));
    return { header: new Headers(position === undefined ? {} : { "docket-read-position": position }) } as UnaryResponse;
  });
  const call = () => next({ header: new Headers() } as UnaryRequest);
  return { sent, call, answer: (position?: string) => waiting.shift()?.(position) };
}

test("a call sends back the position of the last response", async () => {
  const { sent, call, answer } = client();
  for (const position of ["0-1-5", undefined, "0-1-6", undefined]) {
    const response = call();
    answer(position);
    await response;
  }
  expect(sent).toEqual([null, "0-1-5", "0-1-5", "0-1-6"]);
});

test("calls at once lose none of their positions, in whichever order they end", async () => {
  const { sent, call, answer } = client();
  const [first, second] = [call(), call()];
  answer("0-1-9");
  await first;
  answer("0-1-8");
  await second;
  const third = call();
  answer("0-1-10");
  await third;
  const fourth = call();
  answer();
  await fourth;
  expect(sent).toEqual([null, null, "0-1-9,0-1-8", "0-1-10"]);
});
