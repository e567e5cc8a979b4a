import { describeProvider } from "../../../test/support/provider-conformance.ts";
import { createStatic } from "./static.ts";

describeProvider("Static", async () => ({
	provider: () => createStatic(),
	later: async () => undefined,
	nodes: ["n1", "n2", "n3"].map((node) => ({ node, addresses: [] })),
	addresses: ["192.0.2.1"],
	close: async () => undefined,
}));

describe("the Static provider", () => {
	it("gives exactly the addresses it was given, of both families, and lists nothing", async () => {
		const provider = createStatic();
		const { signal } = new AbortController();
		const observed = await provider.ensure(
			{
				identity: { clusterId: "c1", serviceUid: "u", name: "fairlead-u" },
				service: { namespace: "shop", name: "web" },
				families: ["IPv6", "IPv4"],
				addresses: ["2001:db8::1", "192.0.2.1"],
				listeners: [],
				targets: [],
				sourceRanges: ["10.0.0.0/8"],
				affinitySeconds: 60,
			},
			signal,
		);
		expect(observed.addresses).toEqual(["2001:db8::1", "192.0.2.1"]);
		expect(observed.ipMode).toBe("VIP");
		expect(await provider.list("c1", signal)).toEqual([]);
		expect((await provider.capabilities(signal)).addressesFrom).toBe("Pools");
	});
});
