/**
 * Which adapter serves a connection. EMQX's conn id is the base64 of an Erlang pid, and the node's
 * name is in it: bytes 83 58, then the name as an atom (tag 64 with two bytes of length, or 77 with
 * one), then twelve more. Everything but the name is opaque.
 */

const PID_HEADER = 0x83_58;
const ATOM_EXT = 0x64;
const SMALL_ATOM_UTF8_EXT = 0x77;
/** id, serial and creation, four bytes each. */
const PID_TAIL_BYTES = 12;

/** The name of the node that holds the connection, such as `emqx@10.0.0.1`; undefined if unknown. */
export function nodeOf(conn: string): string | undefined {
  const bytes = Buffer.from(conn, "base64");
  if (bytes.length < 4 || bytes.readUInt16BE(0) !== PID_HEADER) return undefined;
  const tag = bytes[2];
  const start = tag === ATOM_EXT ? 5 : 4;
  if (tag !== ATOM_EXT && tag !== SMALL_ATOM_UTF8_EXT) return undefined;
  if (bytes.length < start) return undefined;
  const length = tag === ATOM_EXT ? bytes.readUInt16BE(3) : bytes.readUInt8(3);
  if (bytes.length !== start + length + PID_TAIL_BYTES) return undefined;
  return bytes.toString("utf8", start, start + length);
}

/** Gives the adapter's address for a connection; undefined where none is known. */
export type AddressOf = (conn: string) => string | undefined;

const ADDRESS = /^(\[[0-9a-fA-F:.]+\]|[^\s:,=@/{}]+):(\d{1,5})$/;

function checkAddress(address: string): string {
  const port = Number(ADDRESS.exec(address)?.[2]);
  if (!(port >= 1 && port <= 65_535)) throw new Error(`"${address}" is not host:port`);
  return address;
}

/**
 * Three forms: `host:port` for every node; `{host}:port`, where the host is the part of the node's
 * name after the "@"; or `emqx@a=host:port,emqx@b=host:port`. Throws an Error that names the fault.
 */
export function parseAdapterAddress(text: string): AddressOf {
  if (text.includes("=")) {
    const entries = text.split(",").map((entry): [string, string] => {
      const [node, address, ...more] = entry.trim().split("=");
      if (!node || address === undefined || more.length > 0) {
        throw new Error(`"${entry}" is not node=host:port`);
      }
      return [node, checkAddress(address)];
    });
    const addresses = new Map(entries);
    return (conn) => addresses.get(nodeOf(conn) ?? "");
  }
  if (text.includes("{host}")) {
    checkAddress(text.replace("{host}", "host"));
    return (conn) => {
      const host = nodeOf(conn)?.split("@")[1];
      return host === undefined ? undefined : text.replace("{host}", host);
    };
  }
  const address = checkAddress(text);
  return () => address;
}
