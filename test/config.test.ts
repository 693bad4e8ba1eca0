import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import { describe, expect, test } from "@jest/globals";
import {
  ConfigError,
  parseGatewayConfig,
  parseHostConfig,
  renderConfiguration,
} from "../src/config.js";

describe("the configuration", () => {
  test("needs nothing to be set", () => {
    expect(parseGatewayConfig({})).toMatchObject({
      HANDLER_PORT: 9001,
      ADAPTER_ADDRESS: "127.0.0.1:9100",
      REDIS_URL: undefined,
      ROOM_TOPIC: "chat/room/{room}",
    });
    expect(parseHostConfig({})).toMatchObject({ CHAT_PORT: 7993, USERS: undefined });
  });

  test("takes a room as a bare topic", () => {
    expect(parseGatewayConfig({ ROOM_TOPIC: "{room}" }).ROOM_TOPIC).toBe("{room}");
  });

  test("tells every fault at once", () => {
    const parse = () =>
      parseGatewayConfig({
        HANDLER_PORT: "70000",
        ADAPTER_ADDRESS: "nowhere",
        MAX_ROOMS: "many",
        REDIS_MODE: "many",
        LOG_LEVEL: "loud",
        HANDLER_HOST: "",
      });
    expect(parse).toThrow(ConfigError);
    expect(parse).toThrow(
      [
        "the configuration can't be used:",
        "  HANDLER_HOST: must not be empty",
        "  HANDLER_PORT: must be a whole number from 0 to 65535",
        '  ADAPTER_ADDRESS: "nowhere" is not host:port',
        "  REDIS_MODE: must be standalone or cluster",
        "  LOG_LEVEL: must be debug, info, warn, error or silent",
        "  MAX_ROOMS: must be a whole number from 1 to 10000",
      ].join("\n"),
    );
  });

  test.each([
    [
      { MAX_HELLO_BYTES: "70000" },
      "MAX_HELLO_BYTES (70000) must not be over MAX_FRAME_BYTES (65536)",
    ],
    [{ SESSION_EXPIRY_SECONDS: "90000" }, "must not be over MAX_SESSION_EXPIRY_SECONDS"],
    [{ RATE_FRAME_BURST: "1" }, "RATE_FRAME_BURST: must be a whole number from 2 to 1000000"],
    [
      { RATE_BYTE_BURST: "2048" },
      "MAX_FRAME_BYTES (65536) must not be over RATE_BYTE_BURST (2048)",
    ],
    [{ REDIS_URL: "http://h" }, "REDIS_URL: the Redis URL must begin with redis:// or rediss://"],
    [{ REDIS_URL: "redis://a,redis://b" }, "several Redis URLs are for a cluster only"],
    [{ ROOM_TOPIC: "chat/x" }, 'the topic template "chat/x" needs {room} exactly once'],
    [{ ROOM_TOPIC: "chat/#/{room}" }, "must hold no"],
    [{ ROOM_TOPIC: "$SYS/{room}" }, 'nor begin with "$"'],
    [{ USER_TOPIC: "chat/room/{user}" }, "two topic templates can make the same topic"],
  ])("%j is refused", (environment, fault) => {
    expect(() => parseGatewayConfig(environment)).toThrow(fault);
  });

  test("never shows a secret", () => {
    const config = parseGatewayConfig({ REDIS_URL: "redis://u:hunter2@h:1" });
    const host = parseHostConfig({ USERS: "alice:hunter2, bob:x:hunter2" });
    expect(config.REDIS_URL?.reveal()).toBe("redis://u:hunter2@h:1");
    expect(host.USERS?.map(({ username, password }) => [username, password.reveal()])).toEqual([
      ["alice", "hunter2"],
      ["bob", "x:hunter2"],
    ]);
    for (const shown of [
      inspect(config),
      inspect(host, { depth: 9 }),
      JSON.stringify([config, host]),
    ]) {
      expect(shown).not.toContain("hunter2");
    }
    expect(String(config.REDIS_URL)).toBe("***");
    expect(() => parseGatewayConfig({ REDIS_URL: "redis//u:hunter2@h" })).not.toThrow("hunter2");
    expect(() => parseHostConfig({ USERS: "hunter2" })).not.toThrow("hunter2");
  });

  test("is described as docs/CONFIGURATION.md has it", () => {
    const page = readFileSync(new URL("../docs/CONFIGURATION.md", import.meta.url), "utf8");
    expect(page).toBe(renderConfiguration());
  });
});
