import { expect, test } from "@jest/globals";
import { maxViolations } from "../../gateway/call/violations.ts";
import {
  BadRequestSchema,
  PreconditionFailureSchema,
  QuotaFailureSchema,
} from "../../gen/google/rpc/error_details_pb.js";
import { failedPrecondition, invalidArgument, notFound, resourceExhausted } from "./errors.ts";

const long = "x".repeat(1_000_000);
const many = Array.from({ length: 1_000_000 }, (_, index) => ({ field: `lines[${index}]`, description: "is invalid" }));

test("an error for a million violations lists a hundred and says how many more there are", () => {
  const error = invalidArgument(many);

  expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations).toHaveLength(maxViolations);
  expect(error.rawMessage.length).toBeLessThan(3000);
  expect(error.rawMessage).toMatch(/^lines\[0\]: is invalid; lines\[1\]: is invalid; .* \(and 9999\d\d more\)$/);
});

test("texts of a request are repeated in an error only in part", () => {
  const subject = long;
  const errors = [
    invalidArgument([{ field: long, description: long }]),
    failedPrecondition("WRONG", long, [{ type: "WRONG", subject, description: long }]),
    resourceExhausted("LIMIT", long, [{ subject, description: long }]),
    notFound("docket.dev/Order", `orders/${long}`),
  ];

  for (const error of errors) {
    const details = [
      ...error.findDetails(BadRequestSchema).flatMap((it) => it.fieldViolations),
      ...error.findDetails(PreconditionFailureSchema).flatMap((it) => it.violations),
      ...error.findDetails(QuotaFailureSchema).flatMap((it) => it.violations),
    ];
    expect(error.rawMessage.length).toBeLessThan(3000);
    for (const detail of details) {
      const texts = Object.values(detail).filter((value) => typeof value === "string");
      expect(texts.join("").length).toBeLessThan(1500);
    }
  }
});

test("a text is not cut inside a surrogate pair", () => {
  const error = invalidArgument([{ field: "a", description: `${"x".repeat(399)}😀😀` }]);

  expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.description.isWellFormed()).toBe(true);
  expect(error.rawMessage.isWellFormed()).toBe(true);
});
