import { jest } from "@jest/globals";
import { AddressLab } from "../support/address-lab.ts";

jest.setTimeout(60_000);

let lab: AddressLab;
beforeAll(async () => {
	lab = await AddressLab.start();
	await lab.run();
});
afterAll(() => lab?.stop());
afterEach(async () => {
	await lab.clear();
});

type Case = [sentence: string, play: () => Promise<unknown>];

const dual = {
	ipFamilyPolicy: "RequireDualStack" as const,
	ipFamilies: ["IPv4" as const, "IPv6" as const],
};
const preferred = { ...dual, ipFamilyPolicy: "PreferDualStack" as const };
const local = { externalTrafficPolicy: "Local" as const };

const asks = (annotations: Record<string, string>) => ({ annotations });

describe("an address is shared by Services with one key", () => {
	const together = (more: object = {}) => ({ key: "k", ...more });
	test.each<Case>([
		[
			"on different protocols of a port, whatever their namespaces, and by MetalLB's annotation too",
			async () => {
				await lab.pool("p", "10.1.0.0/24");
				await lab.service("a", together({ ports: ["53"] }));
				await lab.has("a", "10.1.0.0");
				await lab.service("other/b", together({ ports: ["53/UDP"] }));
				await lab.has("other/b", "10.1.0.0");
				await lab.service("c", {
					...asks({ "metallb.universe.tf/allow-shared-ip": "k" }),
					ports: ["80"],
				});
				await lab.has("c", "10.1.0.0");
				await lab.poolStatus("p", { ipv4: { assigned: "1" } });
			},
		],
		[
			"but not on the same port",
			async () => {
				await lab.pool("p", "10.1.0.0/24");
				await lab.service("a", together({ addresses: "10.1.0.5" }));
				await lab.has("a", "10.1.0.5");
				await lab.service("b", together({ addresses: "10.1.0.5" }));
				await lab.waits("b", "AddressInUse", /has port TCP\/80 on it/);
			},
		],
		[
			"but not with another key, or with none",
			async () => {
				await lab.pool("p", "10.1.0.0/32");
				await lab.service("a", together());
				await lab.has("a", "10.1.0.0");
				await lab.service("b", {
					key: "l",
					ports: ["81"],
					addresses: "10.1.0.0",
				});
				await lab.waits("b", "AddressInUse", /another sharing key/);
				await lab.service("c", { ports: ["82"], addresses: "10.1.0.0" });
				await lab.waits("c", "AddressInUse", /this Service has no sharing key/);
			},
		],
		[
			"under externalTrafficPolicy Local only with the same pods, which are of one namespace",
			async () => {
				const spec = { ...local, selector: { app: "web" } };
				await lab.pool("p", "10.1.0.0/24");
				await lab.service("a", together({ spec }));
				await lab.has("a", "10.1.0.0");
				await lab.service("b", together({ spec, ports: ["81"] }));
				await lab.has("b", "10.1.0.0");
				const wants = { addresses: "10.1.0.0" };
				await lab.service("c", together({ ...wants, ports: ["82"] }));
				await lab.waits(
					"c",
					"AddressInUse",
					/externalTrafficPolicy is Local, not Cluster/,
				);
				await lab.service(
					"other/d",
					together({ ...wants, spec, ports: ["83"] }),
				);
				await lab.waits("other/d", "AddressInUse", /must select the same pods/);
			},
		],
	])("%s", (_sentence, play) => play());
});

describe("a dual-stack Service", () => {
	test.each<Case>([
		[
			"gets both families from one pool, the primary one first",
			async () => {
				await lab.pool("p", ["10.1.0.0/24", "2001:db8::/120"]);
				await lab.service("a", {
					spec: { ...dual, ipFamilies: ["IPv6", "IPv4"] },
				});
				await lab.has("a", "2001:db8::", "10.1.0.0");
			},
		],
		[
			"gets them from two pools",
			async () => {
				await lab.pool("four", "10.1.0.0/24");
				await lab.pool("six", "2001:db8::/120");
				await lab.service("a", { spec: dual });
				await lab.has("a", "10.1.0.0", "2001:db8::");
			},
		],
		[
			"that requires both waits for the second, and takes nothing meanwhile",
			async () => {
				await lab.pool("four", "10.1.0.0/32");
				await lab.service("a", { spec: dual });
				await lab.waits("a", "NoAddressesOfFamily", /no IPv6 addresses/);
				await lab.service("b");
				await lab.has("b", "10.1.0.0");
			},
		],
		[
			"that prefers both is served with one, and gets the other as soon as there is one",
			async () => {
				await lab.pool("four", "10.1.0.0/24");
				await lab.service("a", { spec: preferred });
				await lab.has("a", "10.1.0.0");
				await lab.says("a", "Assigned", /no IPv6 addresses/);
				await lab.pool("six", "2001:db8::/120");
				await lab.has("a", "10.1.0.0", "2001:db8::");
			},
		],
	])("%s", (_sentence, play) => play());
});
