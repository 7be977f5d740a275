import { expect, test } from "@jest/globals";
import { isRegion, localityViolations, regionViolations } from "./region.ts";

test("countries and territories are regions", () => {
  for (const code of ["DE", "GB", "US", "HK", "GG", "XK", "CW"]) {
    expect([code, isRegion(code)]).toEqual([code, true]);
  }
});

test("what is unknown, made up, a group, or another's old code is none", () => {
  for (const code of ["ZZ", "XX", "XA", "QQ", "EU", "UN", "UK", "DD", "AN", "de", "DEU", ""]) {
    expect([code, isRegion(code)]).toEqual([code, false]);
  }
  expect(regionViolations("ZZ")).toMatchObject([{ field: "shipping_address.region_code" }]);
  expect(regionViolations("")).toEqual([]);
});

test("a region that is one city needs no locality, any other does", () => {
  for (const code of ["HK", "MC", "MO", "SG", "VA"]) {
    expect(localityViolations("", code)).toEqual([]);
  }
  expect(localityViolations("", "DE")).toMatchObject([{ field: "shipping_address.locality" }]);
  expect(localityViolations("Berlin", "DE")).toEqual([]);
});
