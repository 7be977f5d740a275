import { describe, expect, test } from "@jest/globals";
import { restError } from "./rest-error.ts";

describe("an error over REST", () => {
  test("keeps its details", async () => {
    const status = {
      code: 3,
      message: "bad",
      details: [
        { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "INVALID", domain: "docket" },
        {
          "@type": "type.googleapis.com/google.rpc.BadRequest",
          fieldViolations: [{ field: "file", description: "is empty" }],
        },
      ],
    };
    const error = await restError(
      new Response(JSON.stringify(status), { status: 400, headers: { "x-request-id": "r1" } }),
    );
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID", message: "bad", requestId: "r1" });
    expect(error.fieldViolations).toMatchObject([{ field: "file", description: "is empty" }]);
  });

  test("written by a proxy is mapped from its status", async () => {
    const error = await restError(new Response("<html>busy</html>", { status: 503 }));
    expect(error.code).toBe("UNAVAILABLE");
    expect(error.message).toContain("HTTP 503");
  });
});
