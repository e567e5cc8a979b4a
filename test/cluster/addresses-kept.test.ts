import { jest } from "@jest/globals";
import { finalizers } from "../../operator/api/names.ts";
import { resources } from "../../operator/cluster/kube.ts";
import { AddressLab } from "../support/address-lab.ts";
import { eventually } from "../support/eventually.ts";

jest.setTimeout(120_000);

let lab: AddressLab;
beforeAll(async () => {
	lab = await AddressLab.start("addressreservation.yaml");
	await lab.run();
});
afterAll(() => lab?.stop());
afterEach(async () => {
	await lab.clear();
});

type Case = [sentence: string, play: () => Promise<unknown>];

const guard = async (name: string) =>
	(await lab.get(name))?.metadata.finalizers?.includes(finalizers.classed) ??
	false;

test("Services are served where the kind AddressReservation is not installed, and it works as soon as it is", async () => {
	await lab.pool("p", "10.1.0.0/24");
	await lab.service("a");
	await lab.has("a", "10.1.0.0");
	await lab.install("addressreservation.yaml");
	await lab.reserve("r", { pool: "p", addresses: ["10.1.0.1"] });
	await lab.reserved("r", "Reserved", ["10.1.0.1"]);
	await lab.service("b");
	await lab.has("b", "10.1.0.2");
});

describe("a reservation", () => {
	test.each<Case>([
		[
			"keeps its address for a Service that does not exist yet",
			async () => {
				await lab.pool("p", "10.1.0.0/24");
				await lab.reserve("r", {
					pool: "p",
					addresses: ["10.1.0.0"],
					serviceName: "web",
				});
				await lab.reserved("r", "Reserved", ["10.1.0.0"]);
				await lab.poolStatus("p", {
					ipv4: { assigned: "0", available: "255" },
				});
				await lab.service("a");
				await lab.has("a", "10.1.0.1");
				await lab.service("other/web", { addresses: "10.1.0.0" });
				await lab.waits("other/web", "AddressHeld", /reserved for shop\/web/);
				await lab.service("web");
				await lab.has("web", "10.1.0.0");
				await lab.reserved("r", "Reserved", ["10.1.0.0"], "web");
				await lab.drop("web");
				await lab.reserved("r", "Reserved", ["10.1.0.0"]);
			},
		],
		[
			"gives its Service an address of a pool that nobody draws from by himself",
			async () => {
				await lab.pool("p", "10.1.0.0/24", { autoAssign: false });
				await lab.service("web");
				await lab.waits("web", "AutoAssignOff");
				await lab.reserve("r", { pool: "p", serviceName: "web" });
				await lab.has("web", "10.1.0.0");
			},
		],
		[
			"without addresses chooses one of each family once, and keeps to it",
			async () => {
				await lab.pool("p", ["10.1.0.0/24", "2001:db8::/120"]);
				await lab.service("a");
				await lab.has("a", "10.1.0.0");
				await lab.reserve("r", { pool: "p", serviceName: "web" });
				await lab.reserved("r", "Reserved", ["10.1.0.1", "2001:db8::"]);
				await lab.drop("a");
				await lab.halt();
				await lab.run();
				await lab.service("web");
				await lab.has("web", "10.1.0.1");
				await lab.reserved("r", "Reserved", ["10.1.0.1", "2001:db8::"], "web");
			},
		],
		[
			"without addresses takes what its Service has already",
			async () => {
				await lab.pool("p", "10.1.0.0/24");
				await lab.service("web", { addresses: "10.1.0.9" });
				await lab.has("web", "10.1.0.9");
				await lab.reserve("r", { pool: "p", serviceName: "web" });
				await lab.reserved("r", "Reserved", ["10.1.0.9"], "web");
			},
		],
		[
			"for nobody keeps addresses from everybody, and ends with its deletion, which serves who waits",
			async () => {
				await lab.pool("p", "10.1.0.0/31");
				await lab.reserve("r", {
					pool: "p",
					addresses: ["10.1.0.0", "10.1.0.1"],
				});
				await lab.reserved("r", "Reserved", ["10.1.0.0", "10.1.0.1"]);
				await lab.service("a");
				await lab.waits("a", "PoolFull", /full \(0 of 2, 2 held back\)/);
				await lab.unreserve("r");
				await lab.has("a", "10.1.0.0");
			},
		],
		[
			"of an address somebody holds waits, and has it once that Service is gone",
			async () => {
				await lab.pool("p", "10.1.0.0/32");
				await lab.service("a");
				await lab.has("a", "10.1.0.0");
				await lab.reserve("r", {
					pool: "p",
					addresses: ["10.1.0.0"],
					serviceName: "web",
				});
				await lab.reserved("r", "AddressInUse", []);
				await lab.service("b");
				await lab.waits("b", "PoolFull");
				await lab.service("web");
				await lab.drop("a");
				await lab.has("web", "10.1.0.0");
				await lab.reserved("r", "Reserved", ["10.1.0.0"], "web");
			},
		],
		[
			"that asks for the address of an older one is told so, and has it once that is gone",
			async () => {
				await lab.pool("p", "10.1.0.0/24");
				const wish = { pool: "p", addresses: ["10.1.0.0"] };
				await lab.reserve("older", wish);
				await lab.reserved("older", "Reserved", ["10.1.0.0"]);
				// Ages are counted in seconds.
				await new Promise((resolve) => setTimeout(resolve, 1_001));
				await lab.reserve("other/younger", wish);
				await lab.reserved("other/younger", "AddressReserved", []);
				await lab.unreserve("older");
				await lab.reserved("other/younger", "Reserved", ["10.1.0.0"]);
			},
		],
		[
			"of a pool that does not exist, does not admit the namespace or does not have the address says so",
			async () => {
				await lab.reserve("r", { pool: "p" });
				await lab.reserved("r", "PoolNotFound", []);
				await lab.pool("p", "10.1.0.0/24", {
					namespaceSelector: { matchLabels: { team: "other" } },
				});
				await lab.reserved("r", "NamespaceNotAdmitted", []);
				await lab.pool("p", "10.1.0.0/24");
				await lab.reserved("r", "Reserved", ["10.1.0.0"]);
				await lab.reserve("r", { pool: "p", addresses: ["10.2.0.0"] });
				await lab.reserved("r", "AddressNotInPool", []);
				await lab.pool("p", ["10.1.0.0/24", "10.2.0.0/24"]);
				await lab.reserved("r", "Reserved", ["10.2.0.0"]);
			},
		],
	])("%s", (_sentence, play) => play());
});

describe("a pool with retention", () => {
	test.each<Case>([
		[
			"keeps a deleted Service's address for one of the same name, and from all others",
			async () => {
				await lab.pool("p", "10.1.0.0/24", { retention: "1h" });
				await lab.service("web");
				await lab.has("web", "10.1.0.0");
				await lab.drop("web");
				await lab.poolStatus("p", {
					held: [
						{ address: "10.1.0.0", reason: "Retained", service: "shop/web" },
					],
					ipv4: { assigned: "0", available: "255" },
				});
				await lab.service("a");
				await lab.has("a", "10.1.0.1");
				await lab.service("other/web");
				await lab.has("other/web", "10.1.0.2");
				await lab.service("web");
				await lab.has("web", "10.1.0.0");
				await lab.poolStatus("p", { held: [], ipv4: { assigned: "3" } });
			},
		],
		[
			"keeps it over a restart of the controller",
			async () => {
				await lab.pool("p", "10.1.0.0/24", { retention: "1h" });
				await lab.service("web");
				await lab.has("web", "10.1.0.0");
				await lab.drop("web");
				await lab.halt();
				await lab.run();
				await lab.service("a");
				await lab.has("a", "10.1.0.1");
				await lab.service("web");
				await lab.has("web", "10.1.0.0");
			},
		],
		[
			"keeps it no longer than it says, and then serves who waits",
			async () => {
				await lab.pool("p", "10.1.0.0/32", { retention: "10s" });
				await lab.service("web");
				await lab.has("web", "10.1.0.0");
				await lab.drop("web");
				await lab.service("a");
				await lab.waits("a", "PoolFull", /1 held back/);
				await lab.has("a", "10.1.0.0");
				await lab.poolStatus("p", { held: [] });
			},
		],
		[
			"keeps it for a Service that was another type for a while",
			async () => {
				await lab.pool("p", "10.1.0.0/24", { retention: "1h" });
				await lab.service("web");
				await lab.has("web", "10.1.0.0");
				await lab.patch(resources.services, "web", {
					spec: { type: "ClusterIP", allocateLoadBalancerNodePorts: null },
				});
				await lab.poolStatus("p", { held: [{ address: "10.1.0.0" }] });
				await eventually(
					() => guard("web"),
					(guarded) => expect(guarded).toBe(false),
				);
				await lab.service("a");
				await lab.has("a", "10.1.0.1");
				await lab.service("web");
				await lab.has("web", "10.1.0.0");
			},
		],
		[
			"guards its Services by a finalizer, others and those of a pool that keeps nothing any more have none",
			async () => {
				await lab.pool("p", "10.1.0.0/24");
				await lab.service("a");
				await lab.has("a", "10.1.0.0");
				expect(await guard("a")).toBe(false);
				for (const [retention, guarded] of [
					["1h", true],
					["0", false],
				] as const) {
					await lab.patch(resources.addressPools, "p", { spec: { retention } });
					await eventually(
						() => guard("a"),
						(found) => expect(found).toBe(guarded),
					);
				}
			},
		],
	])("%s", (_sentence, play) => play());
});

describe("killed just", () => {
	const deaths = [0, 1, 2, 3, 4, 5].flatMap((write) =>
		(["before", "after"] as const).map((when) => ({ write, when })),
	);
	test.each(deaths)(
		"$when its write number $write, the controller's successor finds every retained and reserved address in its place",
		async (death) => {
			await lab.pool("p", "10.1.0.0/30", { retention: "1h" });
			await lab.reserve("r", { pool: "p", serviceName: "later" });
			await lab.reserved("r", "Reserved", ["10.1.0.0"]);
			await lab.service("web");
			await lab.has("web", "10.1.0.1");
			await lab.poolStatus("p", { ipv4: { assigned: "1", available: "2" } });
			await lab.halt();
			await lab.client.delete(resources.services, {
				namespace: "shop",
				name: "web",
			});
			await lab.service("later");
			await lab.service("third");
			await lab.runUntil(death, async () => {
				await lab.gone("web");
				await lab.has("later", "10.1.0.0");
				await lab.has("third", "10.1.0.2");
			});
			await lab.run();
			await lab.has("later", "10.1.0.0");
			await lab.has("third", "10.1.0.2");
			await lab.gone("web");
			await lab.service("web");
			await lab.has("web", "10.1.0.1");
			await lab.poolStatus("p", {
				held: [],
				ipv4: { assigned: "3", available: "1" },
			});
		},
	);
});

describe("the API server refuses a reservation", () => {
	test.each<[string, object, RegExp]>([
		["without a pool", { addresses: ["10.0.0.1"] }, /spec\.pool: Required/],
		[
			"of a CIDR",
			{ pool: "p", addresses: ["10.0.0.0/24"] },
			/must be an IP address such as/,
		],
		[
			"of an address with leading zeros",
			{ pool: "p", addresses: ["10.0.0.01"] },
			/must be an IP address/,
		],
		[
			"of an address no balancer can have",
			{ pool: "p", addresses: ["fe80::1"] },
			/must not be an unspecified, loopback, link-local/,
		],
		[
			"of the same address twice",
			{ pool: "p", addresses: ["10.0.0.1", "10.0.0.1"] },
			/Duplicate value/,
		],
		[
			"of two addresses of a family for one Service",
			{ pool: "p", addresses: ["10.0.0.1", "10.0.0.2"], serviceName: "web" },
			/at most one IPv4 and one IPv6/,
		],
		[
			"for what can be no Service",
			{ pool: "p", serviceName: "Web/1" },
			/spec\.serviceName: Invalid value/,
		],
	])("%s", async (_what, spec, message) => {
		await expect(lab.reserve("bad", spec as { pool: string })).rejects.toThrow(
			message,
		);
	});

	test("but takes one of both families for one Service", async () => {
		await lab.reserve("good", {
			pool: "p",
			addresses: ["10.0.0.1", "2001:DB8::1"],
			serviceName: "1web",
		});
		await lab.reserved("good", "PoolNotFound", []);
	});
});

test("a pool that got in while its kind had no schema is told what is wrong with it, and the others work on", async () => {
	const schema = {
		openAPIV3Schema: {
			type: "object",
			"x-kubernetes-preserve-unknown-fields": true,
		},
	};
	await lab.kubectl(
		...["patch", "crd", "addresspools.fairlead.dev", "--type=json", "-p"],
		JSON.stringify([
			{ op: "replace", path: "/spec/versions/0/schema", value: schema },
		]),
	);
	const bad = {
		addresses: [7, "10.1.0.0/30", null],
		priority: "first",
		serviceSelector: "everybody",
		retention: { hours: 1 },
	} as unknown as { addresses: string[] };
	// The API server takes a moment to forget the schema.
	await eventually(
		() => lab.pool("bad", bad.addresses, bad).then(() => "taken", String),
		(answer) => expect(answer).toBe("taken"),
	);
	await lab.make(resources.addressPools, { metadata: { name: "empty" } });
	await lab.pool("good", "10.2.0.0/24");
	await lab.service("a");
	await lab.has("a", "10.2.0.0");
	await lab.poolSays(
		"bad",
		"Ready",
		"InvalidSpec",
		/spec\.serviceSelector: must be a label selector, not "everybody"/,
	);
	await lab.poolSays(
		"empty",
		"Ready",
		"InvalidSpec",
		/spec\.addresses: must be a list of texts, not nothing/,
	);
});
