import { jest } from "@jest/globals";
import { resources } from "../../operator/cluster/kube.ts";
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
const asks = (annotations: Record<string, string>) => ({ annotations });

describe("pools", () => {
	test.each<Case>([
		[
			"hand out CIDRs and ranges, the lowest address first",
			async () => {
				await lab.pool("p", ["10.1.0.9/32", "10.1.0.4-10.1.0.5"]);
				for (const [name, ip] of [
					["a", "10.1.0.4"],
					["b", "10.1.0.5"],
					["c", "10.1.0.9"],
				] as const) {
					await lab.service(name);
					await lab.has(name, ip);
				}
			},
		],
		[
			"are drawn from by priority, then by name",
			async () => {
				await lab.pool("b", "10.1.2.0/32");
				await lab.pool("a", "10.1.1.0/32");
				await lab.pool("z", "10.1.0.0/32", { priority: 1 });
				for (const [name, ip] of [
					["s1", "10.1.0.0"],
					["s2", "10.1.1.0"],
					["s3", "10.1.2.0"],
				] as const) {
					await lab.service(name);
					await lab.has(name, ip);
				}
			},
		],
		[
			"give an address that is in two of them to the first, and the other says so",
			async () => {
				await lab.pool("p", "10.1.0.0/31", { priority: 1 });
				await lab.pool("q", "10.1.0.0/30");
				await lab.poolSays("q", "Ready", "Overlap", /also in pool p/);
				await lab.poolStatus("q", { ipv4: { capacity: "2" } });
			},
		],
		[
			"leave out addresses that end in .0 and .255 with avoidFirstAndLast",
			async () => {
				await lab.pool("p", "10.1.0.255-10.1.1.1", { avoidFirstAndLast: true });
				await lab.service("a");
				await lab.has("a", "10.1.1.1");
				await lab.service("b", { addresses: "10.1.1.0" });
				await lab.waits("b", "AddressAvoided");
			},
		],
		[
			"count a /64 beside a /24 to the last address",
			async () => {
				await lab.pool("p", ["10.1.0.0/24", "2001:db8:1::/64"]);
				await lab.service("a", { spec: dual });
				await lab.has("a", "10.1.0.0", "2001:db8:1::");
				await lab.poolStatus("p", {
					ipv4: { capacity: "256", assigned: "1", available: "255" },
					ipv6: {
						capacity: "18446744073709551616",
						assigned: "1",
						available: "18446744073709551615",
					},
				});
			},
		],
	])("%s", (_sentence, play) => play());
});

describe("a pool refuses a Service", () => {
	test.each<Case>([
		[
			"of a class it does not admit",
			async () => {
				await lab.pool("p", "10.1.0.0/24", { classes: ["wan"] });
				await lab.service("a");
				await lab.waits("a", "ClassNotAdmitted", /class lan is not admitted/);
			},
		],
		[
			"of a namespace its selector does not admit, until the namespace is labelled",
			async () => {
				await lab.pool("p", "10.1.0.0/24", {
					namespaceSelector: { matchLabels: { gold: "yes" } },
				});
				await lab.service("a");
				await lab.waits("a", "NamespaceNotAdmitted");
				await lab.kubectl("label", "namespace", "shop", "gold=yes");
				await lab.has("a", "10.1.0.0");
				await lab.kubectl("label", "namespace", "shop", "gold-");
				await lab.says("a", "NamespaceNotAdmitted", /10\.1\.0\.0/);
				await lab.has("a", "10.1.0.0");
			},
		],
		[
			"whose labels its selector does not admit",
			async () => {
				await lab.pool("p", "10.1.0.0/24", {
					serviceSelector: { matchLabels: { tier: "front" } },
				});
				await lab.service("a");
				await lab.waits("a", "ServiceNotAdmitted");
				await lab.service("b", { labels: { tier: "front" } });
				await lab.has("b", "10.1.0.0");
			},
		],
		[
			"that does not ask for it when autoAssign is false",
			async () => {
				await lab.pool("p", "10.1.0.0/24", { autoAssign: false });
				await lab.service("a");
				await lab.waits("a", "AutoAssignOff");
				await lab.service("b", { pool: "p" });
				await lab.has("b", "10.1.0.0");
			},
		],
		[
			"when it is for external IPs only",
			async () => {
				await lab.pool("p", "10.1.0.0/24", { uses: ["ExternalIP"] });
				await lab.service("a");
				await lab.waits("a", "UseNotAdmitted");
			},
		],
	])("%s", (_sentence, play) => play());
});

describe("a Service gets the address it asks for", () => {
	test.each<Case>([
		...(
			[
				["our annotation", { addresses: "10.1.0.7" }],
				["spec.loadBalancerIP", { spec: { loadBalancerIP: "10.1.0.7" } }],
				[
					"metallb.io/loadBalancerIPs",
					asks({ "metallb.io/loadBalancerIPs": "10.1.0.7" }),
				],
				[
					"MetalLB's older annotation",
					asks({ "metallb.universe.tf/loadBalancerIPs": "10.1.0.7" }),
				],
			] as const
		).map(
			([by, wishes]): Case => [
				`by ${by}`,
				async () => {
					await lab.pool("p", "10.1.0.0/24");
					await lab.service("a", wishes);
					await lab.has("a", "10.1.0.7");
				},
			],
		),
		[
			"of each family by MetalLB's annotation, in the order of its families",
			async () => {
				await lab.pool("p", ["10.1.0.0/24", "2001:db8::/120"]);
				await lab.service("a", {
					...asks({ "metallb.io/loadBalancerIPs": "2001:db8::7, 10.1.0.7" }),
					spec: dual,
				});
				await lab.has("a", "10.1.0.7", "2001:db8::7");
			},
		],
		[
			"of the pool that MetalLB's older annotation names",
			async () => {
				await lab.pool("p", "10.1.0.0/24");
				await lab.pool("q", "10.2.0.0/24");
				await lab.service(
					"a",
					asks({ "metallb.universe.tf/address-pool": "q" }),
				);
				await lab.has("a", "10.2.0.0");
			},
		],
		[
			"once its holder has left, and keeps its own until then",
			async () => {
				await lab.pool("p", "10.1.0.0/24");
				await lab.service("a");
				await lab.has("a", "10.1.0.0");
				await lab.service("b");
				await lab.has("b", "10.1.0.1");
				await lab.service("b", { addresses: "10.1.0.0" });
				await lab.says("b", "AddressInUse", /held by shop\/a/);
				await lab.has("b", "10.1.0.1");
				await lab.drop("a");
				await lab.has("b", "10.1.0.0");
			},
		],
		[
			"unless no pool has it, or two of its wishes differ",
			async () => {
				await lab.pool("p", "10.1.0.0/24");
				await lab.service("a", { addresses: "10.9.0.1" });
				await lab.waits("a", "AddressNotInPool", /10\.9\.0\.1 is in no pool/);
				await lab.service("b", {
					addresses: "10.1.0.1",
					spec: { loadBalancerIP: "10.1.0.2" },
				});
				await lab.waits("b", "RequestConflict");
			},
		],
	])("%s", (_sentence, play) => play());
});

describe("an exhausted pool", () => {
	test.each<Case>([
		[
			"serves the oldest of those who can use what becomes free, and nobody else",
			async () => {
				await lab.pool("p", "10.1.0.0/32");
				await lab.service("a");
				await lab.has("a", "10.1.0.0");
				await lab.service("choosy", { addresses: "10.9.0.1" });
				await lab.waits("choosy", "AddressNotInPool");
				await lab.service("b");
				await lab.waits("b", "PoolFull", /full \(1 of 1\)/);
				// Ages are counted in seconds; within one the UID decides.
				await new Promise((resolve) => setTimeout(resolve, 1_001));
				await lab.service("c");
				await lab.waits("c", "PoolFull");
				const waiting = (await lab.get("c"))?.metadata.resourceVersion;
				await lab.drop("a");
				await lab.has("b", "10.1.0.0");
				expect((await lab.get("c"))?.metadata.resourceVersion).toBe(waiting);
			},
		],
		[
			"serves who waits when it grows",
			async () => {
				await lab.pool("p", "10.1.0.0/32");
				await lab.service("a");
				await lab.service("b");
				await lab.poolStatus("p", { ipv4: { available: "0" } });
				await lab.pool("p", "10.1.0.0/31");
				await lab.poolStatus("p", { ipv4: { assigned: "2", available: "0" } });
			},
		],
	])("%s", (_sentence, play) => play());
});

describe("a Service keeps its address when its pool", () => {
	test.each<Case>([
		[
			"shrinks, and both say so until the pool has it again",
			async () => {
				await lab.pool("p", "10.1.0.0/30");
				await lab.service("a", { addresses: "10.1.0.3" });
				await lab.has("a", "10.1.0.3");
				await lab.service("b");
				await lab.has("b", "10.1.0.0");
				await lab.pool("p", "10.1.0.0/31");
				await lab.says("b", "Assigned", /^10\.1\.0\.0 \(pool p, class lan\)$/);
				await lab.poolSays(
					"p",
					"HoldersInside",
					"OutsidePool",
					/10\.1\.0\.3 \(shop\/a\)/,
				);
				await lab.has("a", "10.1.0.3");
				await lab.pool("p", "10.1.0.0/30");
				await lab.poolSays("p", "HoldersInside", "AllInside");
				await lab.says("a", "Assigned");
			},
		],
		[
			"shrinks, though it asks for nothing in particular",
			async () => {
				await lab.pool("p", "10.1.0.0/31");
				await lab.service("a");
				await lab.has("a", "10.1.0.0");
				await lab.pool("p", "10.1.0.1/32");
				await lab.says(
					"a",
					"OutsidePool",
					/^10\.1\.0\.0 \(pool p, class lan\); pool p: 10\.1\.0\.0 is kept, though the pool no longer has it$/,
				);
				await lab.has("a", "10.1.0.0");
			},
		],
		[
			"is renamed, and its record names the new one",
			async () => {
				await lab.pool("old", "10.1.0.0/24");
				await lab.service("a");
				await lab.has("a", "10.1.0.0");
				await lab.dropPool("old");
				await lab.says("a", "PoolGone", /pool old: 10\.1\.0\.0 is kept/);
				await lab.pool("new", "10.1.0.0/24");
				await lab.says(
					"a",
					"Assigned",
					/^10\.1\.0\.0 \(pool new, class lan\)$/,
				);
				await lab.poolStatus("new", { ipv4: { assigned: "1" } });
			},
		],
		[
			"no longer admits it, and is told so",
			async () => {
				await lab.pool("p", "10.1.0.0/24");
				await lab.service("a");
				await lab.has("a", "10.1.0.0");
				await lab.pool("p", "10.1.0.0/24", { classes: ["wan"] });
				await lab.says("a", "ClassNotAdmitted");
				await lab.patch(resources.addressPools, "p", { spec: { classes: [] } });
				await lab.says("a", "Assigned");
				await lab.has("a", "10.1.0.0");
			},
		],
	])("%s", (_sentence, play) => play());
});
