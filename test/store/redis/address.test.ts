import { describe, expect, test } from "@jest/globals";
import { parseAddresses } from "../../../src/store/redis/address.js";

const plain = { host: "redis", port: 6379, database: 0, tls: false };

describe("a Redis URL", () => {
  test.each([
    ["redis://redis", plain],
    ["redis://redis:7000/", { ...plain, port: 7000 }],
    ["redis://redis/15", { ...plain, database: 15 }],
    ["redis://[::1]:7000", { ...plain, host: "::1", port: 7000 }],
    ["rediss://redis", { ...plain, tls: true }],
    ["redis://:p%40ss@redis", { ...plain, password: "p@ss" }],
    ["redis://al:secret@redis", { ...plain, username: "al", password: "secret" }],
  ])("%s", (url, address) => {
    expect(parseAddresses(url, "standalone")).toEqual([address]);
  });

  test("names several nodes of a cluster", () => {
    expect(parseAddresses("redis://:x@a:1, redis://:x@b:2", "cluster")).toEqual([
      { ...plain, host: "a", port: 1, password: "x" },
      { ...plain, host: "b", port: 2, password: "x" },
    ]);
  });

  test.each([
    ["nothing", "", "standalone", "form"],
    ["no scheme", "secret:6379", "standalone", "redis:// or rediss://"],
    ["another scheme", "http://:secret@redis", "standalone", "redis:// or rediss://"],
    ["no host", "redis://", "standalone", "host"],
    ["a bad port", "redis://:secret@redis:x", "standalone", "form"],
    ["a database that is no number", "redis://:secret@redis/one", "standalone", "database"],
    ["options", "redis://redis?db=1&password=secret", "standalone", "options"],
    ["a broken escape", "redis://:secret%@redis", "standalone", "percent"],
    ["two of them without a cluster", "redis://a,redis://:secret@b", "standalone", "cluster only"],
    ["a database of a cluster", "redis://:secret@redis/1", "cluster", "database 0"],
    ["different credentials", "redis://:secret@a,redis://b", "cluster", "same credentials"],
    ["different schemes", "redis://a,rediss://b", "cluster", "scheme"],
  ] as const)("with %s is refused, and not repeated", (_name, url, mode, part) => {
    const parse = (): unknown => parseAddresses(url, mode);
    expect(parse).toThrow(RangeError);
    expect(parse).toThrow(part);
    expect(parse).not.toThrow("secret");
  });
});
