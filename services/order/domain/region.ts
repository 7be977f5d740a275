import type { Violation } from "./pricing.ts";

const names = new Intl.DisplayNames(["en"], { type: "region", fallback: "none" });

/** CLDR codes that are not countries or territories: groups of them, test codes, and the unknown region. */
const noPlaces = new Set(["EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"]);

/**
 * Whether a code is the CLDR region code of a country or territory, by the runtime's own data. An alias, such as `UK`
 * for `GB`, is rejected.
 */
export function isRegion(code: string): boolean {
  return (
    /^[A-Z]{2}$/.test(code) &&
    !noPlaces.has(code) &&
    names.of(code) !== undefined &&
    new Intl.Locale(`und-${code}`).region === code
  );
}

/**
 * Regions whose addresses need no locality: those whose `require` in Google's address data (libaddressinput,
 * `region_data_constants.cc`) lacks `C`, the city. MC and VA are added because each is one city; the data requires one there,
 * since regions without a `require` inherit the default `AC`.
 */
const localityOptional = new Set("AE AG CO GI HK ID JP KY MC MO NR SG SM VA VG".split(" "));

/** Violation of an address's locality in its region. */
export function localityViolations(locality: string, regionCode: string): readonly Violation[] {
  const isMissing = locality === "" && !localityOptional.has(regionCode);
  return isMissing ? [{ field: "shipping_address.locality", description: "must name the city or town" }] : [];
}

/** Violation of an address's region; undefined if it is valid, or missing, which the rules of the proto reject. */
export function regionViolations(code: string): readonly Violation[] {
  const description = `Unknown region ${JSON.stringify(code)}. Use the CLDR code of a country, for example "DE" or "GB".`;
  return code === "" || isRegion(code) ? [] : [{ field: "shipping_address.region_code", description }];
}
