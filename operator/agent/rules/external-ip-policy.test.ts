import { AgentWorld } from "../../../test/support/agent-world.ts";
import { serviceOf, sliceOf } from "../../../test/support/rules-world.ts";
import type { ExternalIPPolicy } from "../../api/fairlead.ts";
import type { KubeObject } from "../../api/meta.ts";
import { annotations } from "../../api/names.ts";
import { Store } from "../../cluster/index.ts";
import { defaultNodeSettings } from "../../model/rules/rules-node.ts";
import { RulesLoop } from "./rules-loop.ts";

let world: AgentWorld;
let loop: RulesLoop;
let policies: Store<ExternalIPPolicy>;
let namespaces: Store<KubeObject>;
let policiesRead: PromiseWithResolvers<void>;
let namespacesRead: PromiseWithResolvers<void>;
let version = 1000;

beforeEach(async () => {
	world = new AgentWorld();
	const { clock, log } = world;
	policiesRead = Promise.withResolvers();
	namespacesRead = Promise.withResolvers();
	policies = new Store<ExternalIPPolicy>({ clock, log });
	namespaces = new Store<KubeObject>({ clock, log });
	loop = new RulesLoop({
		node: "node-1",
		stores: {
			...world.stores,
			externalIPs: {
				policies,
				namespaces,
				read: {
					policies: policiesRead.promise,
					namespaces: namespacesRead.promise,
				},
			},
		},
		backend: world.backend,
		settings: defaultNodeSettings,
		clock,
		random: () => 1,
		log,
		metrics: world.metrics,
		tell: () => {},
		onSynced: () => {},
	});
	loop.start();
	namespace({ team: "a" });
	world.put({ metadata: { name: "node-1" } });
	world.put(sliceOf(["10.244.1.2@node-1"]));
});
afterEach(() => loop.stop());

const namespaceName = serviceOf().metadata.namespace ?? "";
function namespace(labels: Record<string, string>): void {
	namespaces.put({
		metadata: {
			name: namespaceName,
			labels,
			resourceVersion: String(++version),
		},
	});
}
function policy(spec: ExternalIPPolicy["spec"]): void {
	policies.put({
		metadata: { name: "compiled", resourceVersion: String(++version) },
		spec,
	});
}
async function served(): Promise<string[]> {
	policiesRead.resolve();
	namespacesRead.resolve();
	return carried();
}
/** The same with what is read so far. */
async function carried(): Promise<string[]> {
	await world.listed();
	await world.clock.advance(20);
	return [...world.backend.program.frontends.values()]
		.filter(({ kind }) => kind === "ExternalIP")
		.map(({ address }) => address);
}
const teamA = {
	pool: "a",
	cidrs: ["198.51.100.0/28"],
	namespaceSelector: { matchLabels: { team: "a" } },
};
const three = serviceOf({
	externalIPs: ["198.51.100.5", "198.51.100.6", "8.8.8.8"],
});

test("without a policy every external IP is carried, as kube-proxy does", async () => {
	world.put(three);
	expect(await served()).toEqual(["198.51.100.5", "198.51.100.6", "8.8.8.8"]);
});

test("with a policy only what it grants is carried, and the rest is named", async () => {
	policy({ grants: [teamA], denied: ["198.51.100.6/32"] });
	world.put(three);
	expect(await served()).toEqual(["198.51.100.5"]);
	expect(loop.problems(`${namespaceName}/${three.metadata.name}`)).toEqual([
		"spec.externalIPs: 198.51.100.6 is one of the cluster's own addresses; it is left out",
		"spec.externalIPs: 8.8.8.8 is granted by no AddressPool; it is left out",
	]);
});

test("a policy that comes, changes and goes is followed", async () => {
	world.put(three);
	await served();
	policy({ grants: [], denied: [] });
	expect(await served()).toEqual([]);
	policy({ grants: [teamA], denied: [] });
	expect(await served()).toEqual(["198.51.100.5", "198.51.100.6"]);
	policies.remove({
		metadata: { name: "compiled", resourceVersion: String(++version) },
		spec: { grants: [], denied: [] },
	});
	expect(await served()).toEqual(["198.51.100.5", "198.51.100.6", "8.8.8.8"]);
});

test("labels of the namespace that change take addresses away and give them back", async () => {
	policy({ grants: [teamA], denied: [] });
	world.put(three);
	expect(await served()).toHaveLength(2);
	namespace({ team: "b" });
	expect(await served()).toEqual([]);
	namespace({ team: "a" });
	expect(await served()).toHaveLength(2);
});

test("an assigned address is carried by its record alone, answers echo, and needs its grant", async () => {
	policy({ grants: [teamA], denied: [] });
	world.put(
		serviceOf(
			{},
			{
				annotations: {
					[annotations.assignedExternalIPs]: JSON.stringify({
						addresses: ["198.51.100.5"],
						pools: ["a"],
						number: "7",
					}),
				},
			},
		),
	);
	expect(await served()).toEqual(["198.51.100.5"]);
	expect(world.backend.program.held.get("198.51.100.5")).toMatchObject({
		echo: true,
	});
	policy({ grants: [], denied: [] });
	expect(await served()).toEqual([]);
	expect(world.backend.program.held.has("198.51.100.5")).toBe(false);
});

test("Services without external IPs are not compiled again when the policy changes", async () => {
	world.put(serviceOf());
	await served();
	world.backend.calls.length = 0;
	policy({ grants: [teamA], denied: [] });
	namespace({ team: "c" });
	await served();
	expect(world.backend.calls).toEqual([]);
});

describe("an agent that may not read what external IPs are judged by", () => {
	it("carries none of them, and all the rest, while it cannot see whether there is a policy", async () => {
		world.put(three);
		expect(await carried()).toEqual([]);
		expect(
			[...world.backend.program.frontends.values()].map(({ kind }) => kind),
		).toContain("ClusterIP");
		expect(loop.trouble).toBeUndefined();
		policiesRead.resolve();
		expect(await carried()).toHaveLength(3);
	});

	it("carries none of them while there is a policy whose namespaces it cannot see", async () => {
		world.put(three);
		policy({ grants: [teamA], denied: [] });
		policiesRead.resolve();
		expect(await carried()).toEqual([]);
		namespacesRead.resolve();
		expect(await carried()).toEqual(["198.51.100.5", "198.51.100.6"]);
	});
});
