import fc from "fast-check";
import type { Service } from "../../operator/api/core.ts";
import type { AddressPool } from "../../operator/api/fairlead.ts";
import { annotations, conditions } from "../../operator/api/names.ts";
import { assignmentOf } from "../../operator/model/assignment.ts";
import { ending, History, type Thread } from "../support/histories.ts";
import {
	balancerClass,
	create,
	doubles,
	edit,
	endpoints,
	lab,
	node,
	pool,
	port,
	remove,
	strip,
	unguarded,
	wipe,
} from "../support/history-threads.ts";

/** Fixed, so that a run that fails can be run again; a failure prints the number of its history. */
const seed = 20_261_123;

/** What happens to each object, in its own order; in what order the objects take turns is for each history to say. */
const threads: Thread[] = [
	[balancerClass("lab", { provider: "Static" })],
	[
		balancerClass("cloud", {
			provider: "HetznerCloud",
			default: true,
		}),
	],
	[
		pool("blue", { addresses: ["10.9.0.0/29"] }),
		(run) =>
			run.cluster.edit<AddressPool>("addresspools", "blue", ({ spec }) => {
				spec.addresses = ["10.9.0.0/27", "fd00:9::/124"];
			}),
	],
	[pool("pins", { addresses: ["10.8.0.0/28"], autoAssign: false })],
	[node("n1")],
	[node("n2"), remove("nodes", "n2")],
	[
		node("n3", {
			"node.kubernetes.io/exclude-from-external-load-balancers": "",
		}),
	],
	[endpoints("web")],
	[endpoints("api")],
	[
		create("web", { loadBalancerClass: lab, ports: [port(80)] }),
		edit("shop/web", strip),
		edit("shop/web", ({ spec }) => {
			spec.ports = [port(80), port(443)];
		}),
	],
	[
		create(
			"pinned",
			{ loadBalancerClass: lab, ports: [port(81)] },
			{ [annotations.addresses]: "10.8.0.9" },
		),
		edit("shop/pinned", wipe),
	],
	[
		create("dual", { loadBalancerClass: lab, ports: [port(82)] }),
		edit("shop/dual", ({ spec }) => {
			spec.ipFamilies = ["IPv4", "IPv6"];
		}),
	],
	[
		create("brief", { loadBalancerClass: lab, ports: [port(83)] }),
		remove("services", "shop/brief"),
	],
	[
		create("reborn", { loadBalancerClass: lab, ports: [port(84)] }),
		remove("services", "shop/reborn"),
		create("reborn", { loadBalancerClass: lab, ports: [port(85)] }),
	],
	[
		create("api", { ports: [port(86)] }),
		edit("shop/api", strip),
		edit("shop/api", ({ spec }) => {
			spec.ports = [port(87)];
		}),
	],
	[
		create("late", { type: "ClusterIP", ports: [port(88)] }),
		edit("shop/late", ({ spec }) => {
			spec.type = "LoadBalancer";
		}),
		edit("shop/late", wipe),
	],
	[
		create("left", { ports: [port(89)] }),
		edit("shop/left", ({ spec }) => {
			spec.type = "ClusterIP";
		}),
	],
	[
		create("flip", {
			loadBalancerClass: "fairlead.dev/cloud",
			ports: [port(90)],
		}),
		edit("shop/flip", ({ spec }) => {
			spec.type = "NodePort";
			delete spec.loadBalancerClass;
		}),
		edit("shop/flip", ({ spec }) => {
			spec.type = "LoadBalancer";
			spec.loadBalancerClass = lab;
		}),
	],
	[
		create("fleeting", {
			loadBalancerClass: "fairlead.dev/cloud",
			ports: [port(91)],
		}),
		remove("services", "shop/fleeting"),
	],
	[
		create("typo", {
			loadBalancerClass: "fairlead.dev/typo",
			ports: [port(92)],
		}),
	],
	[
		create("theirs", {
			loadBalancerClass: "example.com/lb",
			ports: [port(93)],
		}),
	],
];

describe("whatever order things happen in, and wherever the controller is killed", () => {
	it("the same objects end in the same state, and every write was guarded", async () => {
		const plain = new History(0);
		await plain.play(threads, { shuffled: false });
		const expected = ending(plain);
		expect(expected.services["shop/web"]?.ingress).toHaveLength(1);
		expect(expected.services["shop/dual"]?.ingress).toHaveLength(2);
		expect(expected.services["shop/pinned"]?.ingress).toMatchObject([
			{ ip: "10.8.0.9" },
		]);
		expect(expected.balancers.map(({ service }) => service)).toEqual([
			"shop/api",
			"shop/late",
		]);
		let deaths = 0;
		await fc.assert(
			fc.asyncProperty(fc.integer(), async (number) => {
				const run = new History(number);
				await run.play(threads, { shuffled: true });
				deaths += run.deaths;
				expect(ending(run)).toEqual(expected);
				expect(doubles(run)).toEqual([]);
				expect(unguarded(run)).toEqual([]);
				expect(run.complaints()).toEqual([]);
			}),
			{ numRuns: 200, seed, endOnFailure: true },
		);
		expect(deaths).toBeGreaterThan(200);
	}, 240_000);

	it("no address is held twice while they are scarce, none lies idle, and whoever waits is told why", async () => {
		const names = ["a", "b", "c", "d", "e", "f"];
		const scarce: Thread[] = [
			[balancerClass("lab", { provider: "Static" })],
			[pool("blue", { addresses: ["10.9.0.0/31"] })],
			...names.map((name, at): Thread => {
				const made = create(name, {
					loadBalancerClass: lab,
					ports: [port(80 + at)],
				});
				return at < 2 ? [made, remove("services", `shop/${name}`)] : [made];
			}),
		];
		await fc.assert(
			fc.asyncProperty(fc.integer(), async (number) => {
				const run = new History(number);
				await run.play(scarce, { shuffled: true });
				const services = run.cluster.all<Service>("services");
				expect(services).toHaveLength(4);
				const served = services.filter((each) => assignmentOf(each));
				expect(served).toHaveLength(2);
				expect(doubles(run)).toEqual([]);
				for (const service of services) {
					const held = assignmentOf(service)?.addresses ?? [];
					const shown = service.status?.loadBalancer?.ingress ?? [];
					expect(shown.map(({ ip }) => ip)).toEqual(held);
					const said = service.status?.conditions?.find(
						({ type }) => type === conditions.addressAssigned,
					);
					expect(`${said?.status}/${said?.reason}`).toBe(
						held.length > 0 ? "True/Assigned" : "False/PoolFull",
					);
				}
				expect(unguarded(run)).toEqual([]);
			}),
			{ numRuns: 50, seed, endOnFailure: true },
		);
	}, 240_000);
});
