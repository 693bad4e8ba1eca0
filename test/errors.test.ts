import { describe, expect, test } from "@jest/globals";
import { GatewayError, errorCodes } from "../src/errors.js";
import { Code } from "../src/rpc/generated/chat.js";

describe("the code table", () => {
  test("has a row for every code of the wire, and no other", () => {
    const wire = Object.keys(Code).filter((code) => code !== "CODE_UNSPECIFIED");
    expect(Object.keys(errorCodes)).toEqual(wire);
  });

  test("lets nobody come back at once for what would only happen again", () => {
    for (const [code, { reconnect, closes }] of Object.entries(errorCodes)) {
      if (reconnect) expect([code, closes]).not.toEqual([code, "never"]);
    }
  });
});

describe("GatewayError.from", () => {
  test("keeps one of ours", () => {
    const error = new GatewayError("FORBIDDEN", "no");
    expect(GatewayError.from(error)).toBe(error);
  });

  test.each([[new TypeError("secret")], ["secret"], [undefined]])(
    "makes %s INTERNAL, without telling the client what it was",
    (cause) => {
      const error = GatewayError.from(cause);
      expect(error).toMatchObject({ code: "INTERNAL", cause, gone: false });
      expect(error.reason).not.toContain("secret");
    },
  );
});
