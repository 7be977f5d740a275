/**
 * Splits `redis://user:password@host:port,host:port` into a URL per node. Returns undefined for a text of another form.
 */
export function redisUrlsOf(text: string): string[] | undefined {
  const [, scheme = "", credentials = "", hosts = "", path = ""] =
    /^(rediss?:\/\/)([^@/]*@)?([^@/]+)(\/\d*)?$/i.exec(text) ?? [];
  const urls = hosts.split(",").map((host) => `${scheme}${credentials}${host.trim()}${path}`);
  return urls.every((url) => URL.canParse(url) && new URL(url).hostname !== "") ? urls : undefined;
}
