import { describe, expect, test } from "@jest/globals";
import { createGateway } from "../src/gateway.js";
import { createMemoryPresenceStore, type PresenceStore } from "../src/store/index.js";
import { createFakeAdapter } from "./support/fake-adapter.js";
import { createFakeClock } from "./support/fake-clock.js";

describe("a gateway", () => {
  test("stops within its deadline though EMQX takes no announcement", async () => {
    const clock = createFakeClock();
    const adapter = createFakeAdapter(() => clock.now());
    adapter.rawPublish = () => new Promise(() => undefined);
    const presence = createMemoryPresenceStore({ clock });
    const names: string[] = [];
    const watched: PresenceStore = {
      ...presence,
      renew(gateway, leaseMs) {
        names.push(gateway);
        return presence.renew(gateway, leaseMs);
      },
    };
    const gateway = await createGateway({ port: 0, adapter, presence: watched, clock });
    const [name = ""] = names;
    const someone = { room: "lobby", instance: "i1", clientId: "c1", username: "", since: 1 };
    await presence.join(name, someone);
    const closed = gateway.close();
    await clock.advance(5_000);
    await closed;
    expect(await presence.list("lobby")).toEqual([]);
    expect(clock.armed).toBe(0);
  });

  test("that can't have its port leaves nothing running, and no lease", async () => {
    const clock = createFakeClock();
    const adapter = createFakeAdapter(() => clock.now());
    let ended = 0;
    adapter.end = () => (ended += 1);
    const first = await createGateway({ port: 0, adapter: createFakeAdapter(() => 0) });
    const presence = createMemoryPresenceStore({ clock });
    const retired: string[] = [];
    const watched: PresenceStore = {
      ...presence,
      retire(gateway) {
        retired.push(gateway);
        return presence.retire(gateway);
      },
    };
    const second = createGateway({ port: first.port, adapter, presence: watched, clock });
    await expect(second).rejects.toThrow("EADDRINUSE");
    expect({ armed: clock.armed, ended, retired: retired.length }).toEqual({
      armed: 0,
      ended: 1,
      retired: 1,
    });
    await first.close();
  });

  test("says what is wrong with an adapter address", async () => {
    await expect(createGateway({ port: 0, adapterAddress: "nowhere" })).rejects.toThrow(
      '"nowhere" is not host:port',
    );
  });
});
