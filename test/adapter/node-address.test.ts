import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { nodeOf, parseAdapterAddress } from "../../src/adapter/index.js";

/** As EMQX up to OTP 25 makes it, and as it does from OTP 26 on. */
const old = "g1hkAA5lbXF4QDEyNy4wLjAuMQAAAsMAAAAAAAAAAw==";
function fresh(node: string): string {
  const name = Buffer.from(node);
  return Buffer.concat([
    Buffer.from([0x83, 0x58, 0x77, name.length]),
    name,
    Buffer.alloc(12, 7),
  ]).toString("base64");
}

describe("a conn id", () => {
  test.each([
    [old, "emqx@127.0.0.1"],
    [fresh("emqx@node-2.example"), "emqx@node-2.example"],
    [fresh("é@h"), "é@h"],
  ])("%s names its node", (conn, node) => {
    expect(nodeOf(conn)).toBe(node);
  });

  test.each(["", "x", "g1g=", "g1hk", old.slice(0, 20), `${old.slice(0, -4)}AAAA`, "AAAAAAAAAAAA"])(
    "that is something else (%j) names none",
    (conn) => expect(nodeOf(conn)).toBeUndefined(),
  );

  test("of random bytes never throws", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (tail) => {
        const bytes = Buffer.concat([Buffer.from([0x83, 0x58]), tail]);
        expect(["string", "undefined"]).toContain(typeof nodeOf(bytes.toString("base64")));
      }),
    );
  });
});

describe("ADAPTER_ADDRESS", () => {
  test.each([
    ["10.0.0.1:9100", old, "10.0.0.1:9100"],
    ["[::1]:9100", "anything", "[::1]:9100"],
    ["{host}:9100", old, "127.0.0.1:9100"],
    ["{host}:9100", "anything", undefined],
    ["emqx@127.0.0.1=a:1, emqx@b=b:2", old, "a:1"],
    ["emqx@127.0.0.1=a:1,emqx@b=b:2", fresh("emqx@b"), "b:2"],
    ["emqx@127.0.0.1=a:1", fresh("emqx@c"), undefined],
  ])("%s for %s is %s", (text, conn, address) => {
    expect(parseAdapterAddress(text)(conn)).toBe(address);
  });

  test.each([
    ["", '"" is not host:port'],
    ["host", '"host" is not host:port'],
    ["host:0", '"host:0" is not host:port'],
    ["host:65536", '"host:65536" is not host:port'],
    ["http://host:1", '"http://host:1" is not host:port'],
    ["{host}", '"host" is not host:port'],
    ["a=b", '"b" is not host:port'],
    ["=b:1", '"=b:1" is not node=host:port'],
    ["a=b:1,", '"" is not node=host:port'],
  ])("%j is refused", (text, message) => {
    expect(() => parseAdapterAddress(text)).toThrow(message);
  });
});
