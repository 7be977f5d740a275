import { expect, test } from "@jest/globals";
import { apiErrorOf } from "./api-error.ts";

test("the code, the message and the resource's type of an error are read", () => {
  const body = JSON.stringify({
    code: 5,
    message: "sbx_1 does not exist",
    details: [{ reason: "RESOURCE_NOT_FOUND" }, { resourceType: "docket.dev/SandboxPayment", resourceName: "sbx_1" }],
  });
  expect(apiErrorOf({ status: 404, body })).toEqual({
    status: 404,
    code: 5,
    message: "sbx_1 does not exist",
    resourceType: "docket.dev/SandboxPayment",
  });
});

test.each(["<html>", "", "null", "[]", '{"code":"5","message":"x"}', '{"code":5}'])(
  "%s is an error without a code",
  (body) => {
    expect(apiErrorOf({ status: 404, body })).toEqual({
      status: 404,
      code: undefined,
      message: body,
      resourceType: "",
    });
  },
);

test("details of any form name no resource", () => {
  for (const details of [{}, [null, 1, { resourceType: 7 }], "x"]) {
    expect(apiErrorOf({ status: 400, body: JSON.stringify({ code: 3, message: "m", details }) })).toMatchObject({
      code: 3,
      resourceType: "",
    });
  }
});
