/** Where Redis is. Read here and not by ioredis, so that a mistake is told, and never a password. */

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  readonly database: number;
  readonly tls: boolean;
}

const DEFAULT_PORT = 6379;
const FORM = "redis[s]://[user:password@]host[:port][/database]";

function decodePart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new RangeError(`the Redis URL has a % that begins no percent code: ${FORM}`);
  }
}

function parseAddress(text: string): RedisAddress {
  if (!URL.canParse(text)) throw new RangeError(`the Redis URL is not of the form ${FORM}`);
  const url = new URL(text);
  if (url.protocol !== "redis:" && url.protocol !== "rediss:") {
    throw new RangeError(`the Redis URL must begin with redis:// or rediss://, as in ${FORM}`);
  }
  if (url.hostname === "") throw new RangeError(`the Redis URL names no host: ${FORM}`);
  if (url.search !== "" || url.hash !== "") {
    throw new RangeError(`the Redis URL takes no options after ? or #: ${FORM}`);
  }
  const database = /^\/?(\d{0,5})$/.exec(url.pathname)?.[1];
  if (database === undefined) throw new RangeError(`the Redis database must be a number: ${FORM}`);
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? DEFAULT_PORT : Number(url.port),
    ...(url.username !== "" && { username: decodePart(url.username) }),
    ...(url.password !== "" && { password: decodePart(url.password) }),
    database: Number(database),
    tls: url.protocol === "rediss:",
  };
}

/** Throws RangeError, without the URL in it, when `urls` can't be used. */
export function parseAddresses(
  urls: string,
  mode: "standalone" | "cluster",
): readonly [RedisAddress, ...RedisAddress[]] {
  const [head = "", ...tail] = urls.split(",").map((url) => url.trim());
  const first = parseAddress(head);
  const others = tail.map(parseAddress);
  if (mode === "standalone") {
    if (others.length > 0) throw new RangeError("several Redis URLs are for a cluster only");
    return [first];
  }
  for (const address of [first, ...others]) {
    if (address.database !== 0) throw new RangeError("a Redis Cluster has database 0 only");
    if (
      address.username !== first.username ||
      address.password !== first.password ||
      address.tls !== first.tls
    ) {
      throw new RangeError("the Redis URLs of a cluster must have the same credentials and scheme");
    }
  }
  return [first, ...others];
}
