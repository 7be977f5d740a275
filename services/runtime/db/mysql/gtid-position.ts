/**
 * Positions in the binary logs of MariaDB: comma-separated GTIDs `domain-server-sequence`, one per domain. A position
 * includes every transaction of its domains up to its sequences: https://mariadb.com/kb/en/gtid/
 */

const gtidForm = /^(\d{1,10})-(\d{1,10})-(\d{1,20})$/;
/** Domains are few. A longer position comes from no server. */
const maxDomains = 32;

interface Gtid {
  readonly text: string;
  readonly domain: string;
  readonly sequence: bigint;
}

/** Whether a text is a position; the empty one, which includes nothing, too. */
export function isGtidPosition(text: string): boolean {
  return parse(text) !== undefined;
}

/** The smallest position that includes both. What is not a position is left out. */
export function mergeGtidPositions(a: string, b: string): string {
  const latest = new Map<string, Gtid>();
  for (const gtid of [...(parse(a) ?? []), ...(parse(b) ?? [])]) {
    const known = latest.get(gtid.domain);
    if (known === undefined || gtid.sequence > known.sequence) {
      latest.set(gtid.domain, gtid);
    }
  }
  return [...latest.values()].map(({ text }) => text).join(",");
}

function parse(position: string): Gtid[] | undefined {
  const texts = position === "" ? [] : position.split(",", maxDomains + 1);
  const gtids = texts.flatMap((text) => {
    const [, domain, , sequence] = gtidForm.exec(text) ?? [];
    return domain === undefined || sequence === undefined ? [] : [{ text, domain, sequence: BigInt(sequence) }];
  });
  return gtids.length === texts.length && texts.length <= maxDomains ? gtids : undefined;
}
