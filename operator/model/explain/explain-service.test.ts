import { assignedCondition } from "../../../test/support/assigned-condition.ts";
import type { EndpointSlice, Service } from "../../api/core.ts";
import type { AddressPool, BalancerClass } from "../../api/fairlead.ts";
import { annotations, conditions, finalizers } from "../../api/names.ts";
import { ClusterFacts, type ClusterSnapshot } from "./cluster-facts.ts";
import { factOf } from "./fact.ts";
import { explainService } from "./explain-service.ts";
import type { Explanation } from "./explanation.ts";

const fast: BalancerClass = {
	metadata: { name: "fast", finalizers: [finalizers.classInUse] },
	spec: { provider: "Static", default: true },
};
const cloud: BalancerClass = {
	metadata: { name: "cloud", finalizers: [finalizers.classInUse] },
	spec: { provider: "HetznerCloud" },
};
const pool = (name: string, ...addresses: string[]): AddressPool => ({
	metadata: { name },
	spec: { addresses },
});
const web = (
	spec: Partial<Service["spec"]> = {},
	metadata: Partial<Service["metadata"]> = {},
	status?: Service["status"],
): Service => ({
	metadata: {
		namespace: "shop",
		name: "web",
		uid: "u-web",
		creationTimestamp: "2026-01-02T00:00:00Z",
		...metadata,
	},
	spec: {
		type: "LoadBalancer",
		ipFamilies: ["IPv4"],
		ports: [{ port: 80, nodePort: 30080 }],
		selector: { app: "web" },
		...spec,
	},
	...(status ? { status } : {}),
});
const condition = (
	type: string,
	status: "True" | "False" | "Unknown",
	reason: string,
	message = `${reason}.`,
) => ({
	type,
	status,
	reason,
	message,
	lastTransitionTime: "2026-01-03T00:00:00Z",
});
const record = (ip: string, from = "a", className = "fast") => ({
	[annotations.assigned]: JSON.stringify({
		addresses: [ip],
		class: className,
		pools: [from],
		number: "7",
	}),
});
const slice = (...ready: (boolean | string)[]): EndpointSlice => ({
	metadata: {
		namespace: "shop",
		name: "web-1",
		labels: { "kubernetes.io/service-name": "web" },
	},
	addressType: "IPv4",
	endpoints: ready.map((each) => ({
		addresses: ["10.244.0.2"],
		conditions: { ready: each !== false },
		...(typeof each === "string" ? { nodeName: each } : {}),
	})),
});
const other = (name: string, ip: string): Service => ({
	...web(
		{},
		{ name, uid: `u-${name}`, annotations: record(ip) },
		{ conditions: [assignedCondition(ip)] },
	),
});
const served = (change: Partial<Service["spec"]> = {}): Service =>
	web(
		change,
		{ annotations: record("192.0.2.1") },
		{
			loadBalancer: { ingress: [{ ip: "192.0.2.1", ipMode: "VIP" }] },
			conditions: [
				condition(conditions.addressAssigned, "True", "Assigned"),
				condition(conditions.provisioned, "True", "Provisioned"),
				condition(conditions.programmed, "Unknown", "NoAgents"),
				condition(conditions.serving, "True", "EndpointsReady"),
			],
		},
	);
const told = (
	service: Service,
	change: Partial<ClusterSnapshot> = {},
): Explanation =>
	explainService(
		service,
		new ClusterFacts({
			services: [...(change.services ?? []), service],
			namespaces: [{ metadata: { name: "shop", labels: { team: "shop" } } }],
			nodes: change.nodes ?? [{ metadata: { name: "n1" } }],
			slices: change.slices ?? [slice(true)],
			classes: change.classes ?? [fast],
			pools: change.pools ?? [pool("a", "192.0.2.0/31")],
			controller: change.controller ?? { state: "Running", holder: "c-1" },
			reservations: change.reservations ?? [],
			unread: change.unread ?? [],
			at: Date.parse("2026-01-05T00:00:00Z"),
		}),
	);

it.each<[string, Service, BalancerClass, string]>([
	[
		"of a cloud, a pool",
		web(
			{ loadBalancerClass: "fairlead.dev/cloud" },
			{ annotations: { [annotations.pool]: "a" } },
		),
		cloud,
		"provider HetznerCloud picks the address when it makes the balancer; annotation fairlead.dev/pool is ignored: provider HetznerCloud picks addresses itself; remove it, or use a class with pools",
	],
	[
		"of pools, the adoption of a cloud's balancer",
		web(
			{},
			{
				annotations: {
					...record("192.0.2.1"),
					[annotations.adopt]: "hcloud-ccm",
				},
			},
			{ conditions: [assignedCondition("192.0.2.1")] },
		),
		fast,
		"192.0.2.1 (pool a, class fast); annotation fairlead.dev/adopt says hcloud-ccm, but provider Static cannot take over a balancer; only a class of provider HetznerCloud can",
	],
])(
	"what is ignored of a Service's wishes is said with its address: %s",
	(_row, service, of, message) => {
		const { steps } = told(service, { classes: [of] });
		expect(steps.find(({ step }) => step === "Address")?.message).toBe(message);
	},
);

/** What is said, and by which reason, in which state, at which step. */
type Row = [
	situation: string,
	service: Service,
	cluster: Partial<ClusterSnapshot>,
	state: Explanation["state"],
	step: string | undefined,
	reason: string,
	headline: string | RegExp,
];

describe("what is said of a Service", () => {
	it.each<Row>([
		[
			"one with everything is served",
			served(),
			{},
			"Served",
			undefined,
			"EndpointsReady",
			"shop/web is served at 192.0.2.1",
		],
		[
			"a ClusterIP Service is nobody's",
			web({ type: "ClusterIP" }),
			{},
			"NotOurs",
			undefined,
			"NotLoadBalancer",
			"shop/web is not Fairlead's: its type is ClusterIP",
		],
		[
			"one of another controller's class is that one's",
			web({ loadBalancerClass: "example.com/lb" }),
			{},
			"NotOurs",
			undefined,
			"OtherController",
			/example\.com\/lb belongs to another controller/,
		],
		[
			"one without class waits where no class is default",
			web(),
			{ classes: [cloud] },
			"Waiting",
			"Ownership",
			"NoDefaultClass",
			/waits: it names no loadBalancerClass and no BalancerClass is default/,
		],
		[
			"one without class waits where two classes are default",
			web(),
			{ classes: [fast, { ...cloud, spec: { ...cloud.spec, default: true } }] },
			"Waiting",
			"Ownership",
			"AmbiguousDefaultClass",
			/cloud and fast are all default/,
		],
		[
			"one that names no class there is waits for it",
			web({ loadBalancerClass: "fairlead.dev/gold" }),
			{},
			"Waiting",
			"Ownership",
			"UnknownClass",
			/there is no BalancerClass gold/,
		],
		[
			"one of a provider that is not there waits",
			web(),
			{
				classes: [
					{
						metadata: { name: "x" },
						spec: { provider: "Nothing" as "Static", default: true },
					},
				],
			},
			"Waiting",
			"Ownership",
			"ProviderUnavailable",
			/provider Nothing is not part of this version/,
		],
		[
			"one waits where the kind is not installed",
			web(),
			{
				classes: [],
				unread: [
					{
						resource: "balancerclasses.fairlead.dev",
						why: "Missing",
						message: "404",
					},
				],
			},
			"Waiting",
			"Ownership",
			"KindMissing",
			/kind BalancerClass is not installed/,
		],
		[
			"a pool that is full is named with its counts",
			web(),
			{ services: [other("one", "192.0.2.0"), other("two", "192.0.2.1")] },
			"Waiting",
			"Address",
			"PoolFull",
			"shop/web waits: pool a is full (2 of 2)",
		],
		[
			"a cluster without pools has none to give",
			web(),
			{ pools: [] },
			"Waiting",
			"Address",
			"NoPools",
			"shop/web waits: there is no AddressPool",
		],
		[
			"an address that another holds is named with its holder",
			web({}, { annotations: { [annotations.addresses]: "192.0.2.0" } }),
			{ services: [other("one", "192.0.2.0")] },
			"Waiting",
			"Address",
			"AddressInUse",
			/192\.0\.2\.0 is held by shop\/one/,
		],
		[
			"a pool without the family says so",
			web({ ipFamilies: ["IPv6"] }),
			{},
			"Waiting",
			"Address",
			"NoAddressesOfFamily",
			"shop/web waits: pool a has no IPv6 addresses",
		],
		[
			"several pools with reasons of their own are counted in the headline",
			web(),
			{
				pools: [
					{
						...pool("a", "192.0.2.0/31"),
						spec: { addresses: [], classes: ["gold"] },
					},
					pool("b", "2001:db8::/64"),
					{
						...pool("c", "198.51.100.0/31"),
						spec: { addresses: ["198.51.100.0/31"], autoAssign: false },
					},
				],
			},
			"Waiting",
			"Address",
			"NoAddressAvailable",
			/pool a: class fast is not admitted \(classes: gold\); pool b has no IPv4 addresses; and 1 more reason$/,
		],
		[
			"with an address to be had and no controller, the controller is missing",
			web(),
			{
				controller: {
					state: "Absent",
					lease: "fairlead-system/fairlead-controller",
				},
			},
			"Waiting",
			"Address",
			"ControllerAbsent",
			"shop/web waits: no controller is known to run (nobody holds Lease fairlead-system/fairlead-controller)",
		],
		[
			"with an address to be had and a controller that fell silent, that is said",
			web(),
			{
				controller: {
					state: "Expired",
					holder: "c-1",
					renewed: "2026-01-01T00:00:00Z",
				},
			},
			"Waiting",
			"Address",
			"ControllerExpired",
			/c-1 has not been heard of since/,
		],
		[
			"a controller that writes nothing is said to",
			web(),
			{},
			"Waiting",
			"Address",
			"ControllerSilent",
			/c-1 has written nothing/,
		],
		[
			"what the provider refuses is told as it was written",
			web(
				{ loadBalancerClass: "fairlead.dev/cloud" },
				{
					finalizers: [finalizers.classed],
					annotations: { [annotations.provisionedBy]: "cloud/HetznerCloud" },
				},
				{
					conditions: [
						condition(
							conditions.provisioned,
							"False",
							"CloudTokenMissing",
							"Secret kube-system/token does not exist",
						),
					],
				},
			),
			{ classes: [cloud] },
			"Waiting",
			"Provider",
			"CloudTokenMissing",
			"shop/web waits: Secret kube-system/token does not exist",
		],
		[
			"ports without NodePort are told before the provider is asked",
			web(
				{
					loadBalancerClass: "fairlead.dev/cloud",
					ports: [{ port: 80 }],
				},
				{
					finalizers: [finalizers.classed],
					annotations: { [annotations.provisionedBy]: "cloud/HetznerCloud" },
				},
			),
			{ classes: [cloud] },
			"Waiting",
			"Provider",
			"NodePortMissing",
			/port 80\/TCP has none/,
		],
		[
			"one whose selector matches nothing has an address and no more",
			served(),
			{ slices: [] },
			"Degraded",
			"Serving",
			"SelectorMatchesNothing",
			"shop/web has 192.0.2.1, but no pod with an address matches its selector app=web",
		],
		[
			"one of a cloud whose nodes are all excluded says which",
			web(
				{ loadBalancerClass: "fairlead.dev/cloud" },
				{
					finalizers: [finalizers.classed],
					annotations: {
						[annotations.provisionedBy]: "cloud/HetznerCloud",
						[annotations.assigned]:
							'{"addresses":["192.0.2.9"],"class":"cloud","number":"3"}',
					},
				},
				{
					loadBalancer: { ingress: [{ ip: "192.0.2.9" }] },
					conditions: [
						condition(conditions.provisioned, "True", "Provisioned"),
					],
				},
			),
			{
				classes: [cloud],
				nodes: [
					{
						metadata: {
							name: "n1",
							labels: {
								"node.kubernetes.io/exclude-from-external-load-balancers": "",
							},
						},
					},
				],
			},
			"Degraded",
			"Serving",
			"NoNodes",
			/no node may be a target \(excluded by label, about to be removed, or being deleted\): n1/,
		],
		[
			"an address kept for a Service of another name is named with that",
			web({}, { annotations: { [annotations.addresses]: "192.0.2.0" } }),
			{
				pools: [
					{
						...pool("a", "192.0.2.0/31"),
						status: {
							held: [
								{
									address: "192.0.2.0",
									reason: "Retained",
									service: "shop/old",
									until: "2026-01-06T00:00:00Z",
								},
							],
						},
					},
				],
			},
			"Waiting",
			"Address",
			"AddressHeld",
			/192\.0\.2\.0 is kept for shop\/old until 2026-01-06T00:00:00Z/,
		],
		[
			"one without selector waits for EndpointSlices",
			served({ selector: {} }),
			{ slices: [] },
			"Degraded",
			"Serving",
			"NoSelector",
			/it has no selector/,
		],
		[
			"one whose endpoints are not ready says how many",
			served(),
			{ slices: [slice(false, false)] },
			"Degraded",
			"Serving",
			"NoReadyEndpoints",
			/none of its 2 endpoints is ready/,
		],
		[
			"one with policy Local needs an endpoint on a node there is",
			served({ externalTrafficPolicy: "Local" }),
			{ slices: [slice("elsewhere")] },
			"Degraded",
			"Serving",
			"NoLocalEndpoints",
			/externalTrafficPolicy is Local/,
		],
		[
			"one that keeps an address its pool lost says so",
			served(),
			{ pools: [pool("a", "198.51.100.0/31")] },
			"Degraded",
			"Address",
			"OutsidePool",
			/192\.0\.2\.1 is kept, though the pool no longer has it/,
		],
		[
			"an address that somebody else wrote is not ours",
			web(
				{ loadBalancerClass: "fairlead.dev/fast" },
				{ annotations: record("192.0.2.1") },
				{
					loadBalancer: { ingress: [{ ip: "10.0.0.9" }] },
					conditions: [
						assignedCondition("192.0.2.1"),
						condition(conditions.provisioned, "True", "Provisioned"),
					],
				},
			),
			{},
			"Degraded",
			"Ingress",
			"ForeignIngress",
			/shows 10\.0\.0\.9, which Fairlead did not write/,
		],
		[
			"one being deleted with another's finalizer waits for that",
			web(
				{},
				{
					deletionTimestamp: "2026-01-04T00:00:00Z",
					finalizers: ["example.com/hold"],
				},
			),
			{},
			"Leaving",
			"Finalizers",
			"ForeignFinalizer",
			/is being deleted and waits: finalizer example\.com\/hold of somebody else holds it/,
		],
		[
			"one being deleted while the cloud fails waits for the cloud",
			web(
				{ loadBalancerClass: "fairlead.dev/cloud" },
				{
					deletionTimestamp: "2026-01-04T00:00:00Z",
					finalizers: [finalizers.classed],
					annotations: { [annotations.provisionedBy]: "cloud/HetznerCloud" },
				},
				{
					conditions: [
						condition(
							conditions.provisioned,
							"False",
							"CloudServerError",
							"the balancer could not be deleted yet: 503",
						),
					],
				},
			),
			{ classes: [cloud] },
			"Leaving",
			"Undo",
			"CloudServerError",
			/could not be deleted yet: 503/,
		],
		[
			"one that leaves a class that is gone is stuck",
			web(
				{ type: "ClusterIP" },
				{
					finalizers: [finalizers.classed],
					annotations: { [annotations.provisionedBy]: "gold/HetznerCloud" },
				},
			),
			{},
			"Leaving",
			"Undo",
			"ClassGone",
			/leaves Fairlead and waits: BalancerClass gold is gone/,
		],
	])("%s", (_row, service, cluster, state, step, reason, headline) => {
		const found = told(service, cluster);
		expect({
			state: found.state,
			step: found.step,
			reason: found.reason,
		}).toEqual({ state, step, reason });
		if (typeof headline === "string") expect(found.headline).toBe(headline);
		else expect(found.headline).toMatch(headline);
		// What to do stands further down.
		expect(found.headline).toBe(factOf(found.headline));
		expect(found.headline).not.toMatch(/has (\S+), but \1/);
	});

	it("gives for every pool and class a reason", () => {
		const found = told(web({ loadBalancerClass: "fairlead.dev/fast" }), {
			classes: [fast, cloud],
			pools: [
				pool("a", "2001:db8::/126"),
				pool("b", "192.0.2.0/31"),
				pool("c", "198.51.100.0/31"),
			],
		});
		expect(
			found.pools.map(({ pool: name, verdict, why }) => [name, verdict, why]),
		).toEqual([
			["a", "Refuses", "no IPv4 addresses"],
			["b", "Gives", "has 192.0.2.0 for it"],
			["c", "Gives", "has a free address, and others come first"],
		]);
		expect(
			found.classes.map(({ class: name, verdict, why }) => [
				name,
				verdict,
				why,
			]),
		).toEqual([
			["cloud", "Other", "the Service names fairlead.dev/fast"],
			["fast", "Serves", "the Service names it"],
		]);
	});
});
