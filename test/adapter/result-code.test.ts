import { describe, expect, test } from "@jest/globals";
import { errorOfResult, errorOfRpc } from "../../src/adapter/result-code.js";
import { RpcError, type RpcStatus } from "../../src/rpc/client.js";
import { ResultCode } from "../../src/rpc/generated/exproto.js";

describe("a result code", () => {
  test.each([
    ["Authenticate", "PERMISSION_DENY", "not_authorized", "UNAUTHENTICATED", false],
    ["Authenticate", "PERMISSION_DENY", "bad_username_or_password", "UNAUTHENTICATED", false],
    ["Authenticate", "PERMISSION_DENY", "client_id_unavailable", "UNAVAILABLE", false],
    ["Publish", "PERMISSION_DENY", '<<"Authorization deny">>', "FORBIDDEN", false],
    ["Subscribe", "PERMISSION_DENY", '<<"Authorization deny">>', "FORBIDDEN", false],
    ["Publish", "UNKNOWN", "{error,'UNKNOWN',<<\"Unknown crashes\">>}", "UNAVAILABLE", false],
    ["Publish", "UNKNOWN", "{error,'PARAMS_TYPE_ERROR'}", "INTERNAL", false],
    ["Publish", "PARAMS_TYPE_ERROR", "", "INTERNAL", false],
    ["Publish", "REQUIRED_PARAMS_MISSED", "", "INTERNAL", false],
    ["Send", "CONN_PROCESS_NOT_ALIVE", "x", "UNAVAILABLE", true],
  ] as const)("%s %s %s means %s", (call, code, message, ours, gone) => {
    expect(errorOfResult(call, { code, message })).toMatchObject({ code: ours, gone });
  });

  test("of success is no error", () => {
    expect(errorOfResult("Send", { code: "SUCCESS", message: "" })).toBeUndefined();
  });

  test("is never unknown to us", () => {
    for (const code of Object.values(ResultCode)) {
      if (code === "SUCCESS") continue;
      const error = errorOfResult("Publish", { code, message: "secret words" });
      expect(error?.reason).not.toContain("secret words");
      expect(String(error?.cause)).toContain("secret words");
    }
  });
});

describe("a gRPC status", () => {
  test.each([
    ["UNAVAILABLE", "UNAVAILABLE"],
    ["DEADLINE_EXCEEDED", "UNAVAILABLE"],
    ["CANCELLED", "UNAVAILABLE"],
    ["RESOURCE_EXHAUSTED", "UNAVAILABLE"],
    ["UNIMPLEMENTED", "UNSUPPORTED"],
    ["INTERNAL", "INTERNAL"],
    ["INVALID_ARGUMENT", "INTERNAL"],
  ] as const satisfies readonly (readonly [RpcStatus, string])[])("%s means %s", (status, code) => {
    expect(errorOfRpc("Publish", new RpcError(status, "secret"))).toMatchObject({ code });
  });

  test("that is none is a bug of ours", () => {
    expect(errorOfRpc("Publish", new TypeError("x"))).toMatchObject({ code: "INTERNAL" });
  });
});
