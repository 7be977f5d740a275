import { expect, test } from "@jest/globals";
import { isRegion, localityViolations, regionViolations } from "./region.ts";

test("countries and territories are regions", () => {
  for (const code of ["DE", "GB", "US", "HK", "GG", "XK", "CW"]) {
    expect([code, isRegion(code)]).toEqual([code, true]);
  }
});

test("unknown, invented, grouping and deprecated codes are not regions", () => {
  for (const code of ["ZZ", "XX", "XA", "QQ", "EU", "UN", "UK", "DD", "AN", "de", "DEU", ""]) {
    expect([code, isRegion(code)]).toEqual([code, false]);
  }
  expect(regionViolations("ZZ")).toMatchObject([{ field: "shipping_address.region_code" }]);
  expect(regionViolations("")).toEqual([]);
});

test("no locality is required where Google's address data requires none, or where the region is one city", () => {
  const byData = ["AE", "AG", "CO", "GI", "HK", "ID", "JP", "KY", "MO", "NR", "SG", "SM", "VG"];
  for (const code of [...byData, "MC", "VA"]) {
    expect([code, localityViolations("", code)]).toEqual([code, []]);
  }
});

test("a locality is required everywhere else", () => {
  for (const code of ["DE", "US", "IE", "LU", "TR"]) {
    expect(localityViolations("", code)).toMatchObject([{ field: "shipping_address.locality" }]);
  }
  expect(localityViolations("Berlin", "DE")).toEqual([]);
});
