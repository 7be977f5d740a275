/** Number of days in a month; January is 1. */
export function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

const time = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):.*?(?:[+-](\d{2}):(\d{2}))?$/;

/**
 * False for an RFC 3339 time whose day or hour does not exist, such as February 30th or 24:00, which `Date.parse` rolls
 * over. Other errors in a time are not detected.
 */
export function isRealTime(text: string): boolean {
  const match = time.exec(text);
  if (match === null) return true;
  const [year = 0, month = 0, day = 0, hour = 0, offsetHours = 0, offsetMinutes = 0] = match
    .slice(1)
    .map((part) => Number(part ?? 0));
  return day <= daysIn(year, month) && hour <= 23 && offsetHours <= 23 && offsetMinutes <= 59;
}
