/**
 * Conn ids in EMQX's own form: the base64 of an Erlang pid. Bytes 83 58, the node's name as an atom
 * (64 and two bytes of length), then id, serial and creation of four bytes each.
 */
export interface ConnIds {
  next(): string;
  /** Whether this incarnation of the node has given `conn` out. */
  gaveOut(conn: string): boolean;
}

const HEADER = Buffer.from([0x83, 0x58, 0x64]);
const MAX_ID = 2 ** 32 - 1;

export function createConnIds(node: string, creation: number): ConnIds {
  const name = Buffer.from(node);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(name.length);
  const prefix = Buffer.concat([HEADER, length, name]);
  let given = 0;

  function encode(count: number): string {
    const tail = Buffer.alloc(12);
    tail.writeUInt32BE(count % MAX_ID, 0);
    tail.writeUInt32BE(Math.floor(count / MAX_ID), 4);
    tail.writeUInt32BE(creation, 8);
    return Buffer.concat([prefix, tail]).toString("base64");
  }

  return {
    next: () => encode(++given),
    gaveOut(conn) {
      const bytes = Buffer.from(conn, "base64");
      if (bytes.length !== prefix.length + 12) return false;
      const low = bytes.readUInt32BE(prefix.length);
      const high = bytes.readUInt32BE(prefix.length + 4);
      const count = high * MAX_ID + low;
      return count >= 1 && count <= given && encode(count) === conn;
    },
  };
}
