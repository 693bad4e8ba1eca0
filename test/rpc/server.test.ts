import { networkInterfaces } from "node:os";
import { describe, expect, test } from "@jest/globals";
import { startRpcServer } from "../../src/rpc/server.js";

const hasIPv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === "::1"),
);

describe("the address that calls are taken on", () => {
  test.each(["127.0.0.1", "localhost", ...(hasIPv6 ? ["::1", "[::1]"] : [])])(
    "may be %s",
    async (host) => {
      const server = await startRpcServer({ host, port: 0, services: [] });
      expect(server.port).toBeGreaterThan(0);
      await server.close(0);
    },
  );
});
