import { describe, expect, test } from "@jest/globals";
import { GatewayError } from "../../../src/errors.js";
import { toGatewayError } from "../../../src/store/redis/failure.js";

function replyError(message: string): Error {
  const error = new Error(message);
  error.name = "ReplyError";
  return Object.assign(error, { command: { name: "hello", args: ["3", "AUTH", "secret"] } });
}

describe("a Redis error", () => {
  test.each([
    "LOADING Redis is loading the dataset in memory",
    "READONLY You can't write against a read only replica. script: abc",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "CLUSTERDOWN The cluster is down",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "BUSY Redis is busy running a script.",
    "MISCONF Errors writing to the AOF file: No space left on device",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "NOREPLICAS Not enough good replicas to write.",
    "NOAUTH Authentication required.",
    "WRONGPASS invalid username-password pair or user is disabled.",
    "NOPERM this user has no permissions to run the 'evalsha' command",
  ])("%s: it can't serve now", (message) => {
    expect(toGatewayError(replyError(message), "get")).toMatchObject({ code: "UNAVAILABLE" });
  });

  test.each([
    "Connection is closed.",
    "Command timed out",
    "Stream isn't writeable and enableOfflineQueue options is false",
    "Cluster isn't ready and enableOfflineQueue options is false",
  ])("%s: it can't be reached", (message) => {
    expect(toGatewayError(new Error(message), "get")).toMatchObject({ code: "UNAVAILABLE" });
  });

  test.each([
    [replyError("ERR user_script:3: attempt to compare nil with number script: abc")],
    [replyError("WRONGTYPE Operation against a key holding the wrong kind of value")],
    [replyError("CROSSSLOT Keys in request don't hash to the same slot")],
    [replyError("MOVED 866 127.0.0.1:7001")],
    [new TypeError("x is not a function")],
  ])("%s: a bug", (error) => {
    expect(toGatewayError(error, "get")).toMatchObject({ code: "INTERNAL" });
  });

  test("keeps what happened for the log, but no argument of the command", () => {
    const { cause, reason } = toGatewayError(replyError("BUSY script"), "session-take");
    expect(cause).toEqual(new Error("Redis session-take: BUSY script"));
    expect(cause).not.toHaveProperty("command");
    expect(reason).not.toContain("BUSY");
  });

  test("that is ours already stays as it is", () => {
    const error = new GatewayError("FORBIDDEN", "no");
    expect(toGatewayError(error, "get")).toBe(error);
  });
});
