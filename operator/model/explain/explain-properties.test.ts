import fc from "fast-check";
import type { EndpointSlice, Node, Service } from "../../api/core.ts";
import type {
	AddressPool,
	AddressReservation,
	BalancerClass,
} from "../../api/fairlead.ts";
import { annotations, conditions, finalizers } from "../../api/names.ts";
import { errors } from "../../errors.ts";
import { addressingOf } from "../addresses/addressing.ts";
import type { ObservedBalancer } from "../balancer/balancer.ts";
import { desiredBalancer } from "../balancer/desired.ts";
import { explain } from "../explain.ts";
import { resolveOwnership } from "../ownership.ts";
import { ClusterFacts, type ClusterSnapshot } from "./cluster-facts.ts";
import { explainService } from "./explain-service.ts";
import type { Explanation, StepReport } from "./explanation.ts";
import { type ReasonEntry, reasons } from "./reasons.ts";

/** Clusters as they may be: small enough that Services meet, with records, annotations and statuses anybody may write. */

const maybe = <T>(value: fc.Arbitrary<T>) =>
	fc.option(value, { nil: undefined, freq: 2 });
const without = <T extends object>(object: T): T =>
	Object.fromEntries(
		Object.entries(object).filter(([, value]) => value !== undefined),
	) as T;

const address = fc.constantFrom(
	"192.0.2.0",
	"192.0.2.1",
	"192.0.2.2",
	"198.51.100.7",
	"2001:db8::1",
	"999.1.1.1",
	"",
);
const className = fc.constantFrom("fast", "cloud", "gold");
const poolName = fc.constantFrom("a", "b", "c");
const record = fc
	.record({
		addresses: fc.uniqueArray(address, { minLength: 1, maxLength: 2 }),
		class: className,
		pools: maybe(fc.array(poolName, { maxLength: 2 })),
		number: fc.constantFrom("1", "22"),
	})
	.map((value) => JSON.stringify(value));
const annotation = fc
	.record({
		[annotations.assigned]: maybe(
			fc.oneof(record, fc.constantFrom("{", "null", "[]")),
		),
		[annotations.provisionedBy]: maybe(
			fc.constantFrom("cloud/HetznerCloud", "gold/Static", "/", "x"),
		),
		[annotations.addresses]: maybe(address),
		[annotations.pool]: maybe(poolName),
		[annotations.sharingKey]: maybe(fc.constantFrom("k", " ")),
	})
	.map(without);
const condition = fc.record({
	type: fc.constantFrom(...Object.values(conditions), "example.com/Else"),
	status: fc.constantFrom("True", "False", "Unknown"),
	reason: fc.constantFrom(
		"Provisioned",
		"PoolFull",
		"CloudTokenMissing",
		"Provisioning",
		"NodesLagging",
	),
	message: fc.constantFrom(
		"",
		"said",
		"the balancer could not be deleted yet: x",
	),
	lastTransitionTime: fc.constant("2026-01-03T00:00:00Z"),
});
const ingress = fc
	.record({ ip: maybe(address), hostname: maybe(fc.constant("lb.example")) })
	.map(without);
const service = fc
	.record({
		namespace: fc.constantFrom("shop", "ops"),
		name: fc.constantFrom("web", "api", "db"),
		uid: maybe(fc.uuid()),
		created: fc.constantFrom("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
		deleting: maybe(fc.constant("2026-01-05T00:00:00Z")),
		finalizer: maybe(
			fc.constantFrom(...Object.values(finalizers), "example.com/hold"),
		),
		annotations: annotation,
		spec: fc
			.record({
				type: fc.oneof(
					{ weight: 4, arbitrary: fc.constant("LoadBalancer") },
					fc.constantFrom("ClusterIP", "NodePort", "ExternalName", undefined),
				),
				loadBalancerClass: maybe(
					fc.constantFrom(
						"fairlead.dev/fast",
						"fairlead.dev/cloud",
						"fairlead.dev/none",
						"example.com/x",
						"fairlead.dev/",
					),
				),
				ipFamilies: maybe(
					fc.constantFrom(["IPv4"], ["IPv6"], ["IPv4", "IPv6"], []),
				),
				ipFamilyPolicy: maybe(
					fc.constantFrom("PreferDualStack", "RequireDualStack"),
				),
				ports: maybe(
					fc.array(
						fc
							.record({
								port: fc.constantFrom(53, 80),
								protocol: maybe(fc.constantFrom("TCP", "UDP")),
								nodePort: maybe(fc.constantFrom(0, 30080)),
							})
							.map(without),
						{ maxLength: 2 },
					),
				),
				selector: maybe(fc.constantFrom({}, { app: "web" })),
				externalTrafficPolicy: maybe(fc.constantFrom("Local", "Cluster")),
				loadBalancerIP: maybe(address),
				loadBalancerSourceRanges: maybe(
					fc.constantFrom([], ["10.0.0.0/8"], ["nonsense"]),
				),
			})
			.map(without),
		status: maybe(
			fc
				.record({
					loadBalancer: maybe(
						fc
							.record({ ingress: maybe(fc.array(ingress, { maxLength: 2 })) })
							.map(without),
					),
					conditions: maybe(
						fc.uniqueArray(condition, {
							maxLength: 4,
							selector: ({ type }) => type,
						}),
					),
				})
				.map(without),
		),
	})
	.map(
		(from) =>
			without({
				metadata: without({
					namespace: from.namespace,
					name: from.name,
					uid: from.uid,
					creationTimestamp: from.created,
					deletionTimestamp: from.deleting,
					finalizers: from.finalizer && [from.finalizer],
					annotations: from.annotations,
				}),
				spec: from.spec,
				status: from.status,
			}) as unknown as Service,
	);
const balancerClass = fc
	.record({
		name: className,
		provider: fc.constantFrom("Static", "HetznerCloud", "Layer2", "Nothing"),
		default: maybe(fc.boolean()),
		deleting: maybe(fc.constant("2026-01-05T00:00:00Z")),
		guarded: fc.boolean(),
	})
	.map(
		(from) =>
			({
				metadata: without({
					name: from.name,
					deletionTimestamp: from.deleting,
					finalizers: from.guarded ? [finalizers.classInUse] : undefined,
				}),
				spec: without({ provider: from.provider, default: from.default }),
			}) as BalancerClass,
	);
const pool = fc
	.record({
		name: poolName,
		addresses: fc.array(
			fc.constantFrom(
				"192.0.2.0/31",
				"192.0.2.1-192.0.2.2",
				"2001:db8::/127",
				"nonsense",
			),
			{ maxLength: 2 },
		),
		held: maybe(
			fc.array(
				fc.record({
					address,
					reason: fc.constantFrom("Retained", "Releasing"),
					service: fc.constantFrom("shop/web", "ops/db"),
					until: fc.constantFrom(
						"2026-01-03T00:00:00Z",
						"2026-01-09T00:00:00Z",
					),
				}),
				{ maxLength: 2 },
			),
		),
		autoAssign: maybe(fc.boolean()),
		priority: maybe(fc.constantFrom(1, 100)),
		classes: maybe(fc.array(className, { maxLength: 1 })),
		namespaceSelector: maybe(
			fc.constantFrom(
				{ matchLabels: { team: "shop" } },
				{ matchExpressions: [{ key: "x", operator: "What" }] },
			),
		),
	})
	.map(
		({ name, held, ...spec }) =>
			without({
				metadata: { name },
				spec: without(spec),
				status: held && { held },
			}) as AddressPool,
	);
const reservation = fc
	.record({
		name: fc.constantFrom("r1", "r2"),
		pool: poolName,
		addresses: maybe(fc.array(address, { maxLength: 2 })),
		serviceName: maybe(fc.constantFrom("web", "api")),
	})
	.map(
		({ name, ...spec }) =>
			({
				metadata: { namespace: "shop", name },
				spec: without(spec),
			}) as AddressReservation,
	);
const slice = fc
	.record({
		of: fc.constantFrom("web", "api"),
		name: fc.constantFrom("s1", "s2", "s3"),
		addressType: fc.constantFrom("IPv4", "IPv6", "FQDN"),
		endpoints: maybe(
			fc.array(
				fc
					.record({
						conditions: maybe(fc.record({ ready: fc.boolean() })),
						nodeName: maybe(fc.constantFrom("n1", "n9")),
					})
					.map((each) => without({ addresses: [], ...each })),
				{ maxLength: 3 },
			),
		),
	})
	.map(
		({ of, name, ...rest }) =>
			({
				metadata: {
					namespace: "shop",
					name,
					labels: { "kubernetes.io/service-name": of },
				},
				...without(rest),
			}) as EndpointSlice,
	);
const node = fc
	.record({ name: fc.constantFrom("n1", "n2"), excluded: fc.boolean() })
	.map(
		({ name, excluded }): Node => ({
			metadata: {
				name,
				...(excluded
					? {
							labels: {
								"node.kubernetes.io/exclude-from-external-load-balancers": "",
							},
						}
					: {}),
			},
		}),
	);
const keyOf = ({ metadata }: { metadata: Service["metadata"] }) =>
	`${metadata.namespace ?? ""}/${metadata.name}`;
const unique = <T extends { metadata: Service["metadata"] }>(
	one: fc.Arbitrary<T>,
	maxLength: number,
) => fc.uniqueArray(one, { maxLength, selector: keyOf });
const snapshot: fc.Arbitrary<ClusterSnapshot> = fc.record({
	services: fc.uniqueArray(service, {
		minLength: 1,
		maxLength: 5,
		selector: keyOf,
	}),
	namespaces: fc.constant([
		{ metadata: { name: "shop", labels: { team: "shop" } } },
	]),
	nodes: unique(node, 2),
	slices: unique(slice, 3),
	classes: unique(balancerClass, 3),
	pools: unique(pool, 3),
	reservations: unique(reservation, 2),
	at: fc.constant(Date.parse("2026-01-04T00:00:00Z")),
	controller: fc.constantFrom<ClusterSnapshot["controller"]>(
		{ state: "Running", holder: "c" },
		{ state: "Absent", lease: "n/l" },
		{ state: "Expired", holder: "c", renewed: "2026-01-01T00:00:00Z" },
		{ state: "Unknown" },
	),
	unread: fc.subarray<ClusterSnapshot["unread"][number]>([
		{ resource: "nodes", why: "Forbidden", message: "403" },
		{
			resource: "endpointslices.discovery.k8s.io",
			why: "Forbidden",
			message: "403",
		},
		{ resource: "addresspools.fairlead.dev", why: "Missing", message: "404" },
	]),
});

const explainAll = (from: ClusterSnapshot) => {
	const facts = new ClusterFacts(from);
	return facts.services.map((each) => explainService(each, facts));
};
const known = (reason: string) =>
	Object.hasOwn(reasons, reason) || Object.hasOwn(errors, reason);

describe("explanations of any cluster", () => {
	it("are made whatever the objects hold, and are plain data", () => {
		fc.assert(
			fc.property(snapshot, (from) => {
				const told = explainAll(from);
				expect(told).toEqual(JSON.parse(JSON.stringify(told)));
			}),
			{ numRuns: 1500 },
		);
	});

	it("are the same, byte for byte, in whatever order objects come and Services are asked about", () => {
		const shuffled = snapshot.chain((from) =>
			fc.tuple(
				fc.constant(from),
				fc.record({
					services: shuffle(from.services),
					namespaces: shuffle(from.namespaces),
					nodes: shuffle(from.nodes),
					slices: shuffle(from.slices),
					classes: shuffle(from.classes),
					pools: shuffle(from.pools),
					reservations: shuffle(from.reservations),
					controller: fc.constant(from.controller),
					at: fc.constant(from.at),
					unread: shuffle(from.unread),
				}),
				fc.boolean(),
			),
		);
		fc.assert(
			fc.property(shuffled, ([from, again, backwards]) => {
				const facts = new ClusterFacts(again);
				const asked = backwards
					? [...facts.services].reverse()
					: facts.services;
				const told = new Map(
					asked.map((each) => [keyOf(each), explainService(each, facts)]),
				);
				for (const one of explainAll(from))
					expect(JSON.stringify(told.get(one.service))).toBe(
						JSON.stringify(one),
					);
			}),
			{ numRuns: 1000 },
		);
	});

	it("never say served without ingress, and give a reason that is known wherever it is not", () => {
		fc.assert(
			fc.property(snapshot, (from) => {
				for (const { state, reason, headline, present, steps } of explainAll(
					from,
				)) {
					if (state === "Served")
						expect(present.ingress.length).toBeGreaterThan(0);
					expect(reason).not.toBe("");
					expect(headline.length).toBeGreaterThan(10);
					if (state === "Served") expect(reason).toBe("EndpointsReady");
					else expect(steps.map((step) => step.reason)).toContain(reason);
					expect(known(reason)).toBe(true);
				}
			}),
			{ numRuns: 1500 },
		);
	});

	it("give every pool and every class one line each, with a reason", () => {
		fc.assert(
			fc.property(snapshot, (from) => {
				for (const { pools, classes } of explainAll(from)) {
					expect(pools.map((each) => each.pool).sort()).toEqual(
						from.pools.map(({ metadata }) => metadata.name).sort(),
					);
					expect(classes).toHaveLength(from.classes.length);
					for (const { why } of [...pools, ...classes])
						expect(why).not.toBe("");
				}
			}),
			{ numRuns: 700 },
		);
	});

	it("agree with the conditions the controller writes for the same objects", () => {
		let compared = 0;
		fc.assert(
			fc.property(snapshot, (drawn) => {
				const from = { ...drawn, unread: [] };
				const facts = new ClusterFacts(from);
				for (const subject of facts.services) {
					const ownership = resolveOwnership(subject, facts.classes);
					if (
						ownership.kind === "NotOurs" ||
						subject.metadata.deletionTimestamp ||
						(ownership.kind === "Ours" &&
							ownership.class.spec.provider === "HetznerCloud")
					)
						continue;
					const verdicts = explain({
						service: subject,
						ownership,
						outcome: { kind: "Observed", balancer: observed },
						readyEndpoints: facts
							.slicesOf(keyOf(subject))
							.some(({ endpoints = [] }) =>
								endpoints.some(({ conditions: is }) => is?.ready !== false),
							),
						seen: "1",
						now: "2026-01-06T00:00:00Z",
						...ownWorld(subject, from),
					});
					const written = verdicts.find(
						({ type }) => type === conditions.addressAssigned,
					);
					const told = explainService(subject, facts);
					const serving = told.steps.find(({ step }) => step === "Serving");
					if (serving && addressOf(told)?.state === "Done") {
						const entry: ReasonEntry | undefined =
							reasons[serving.reason as keyof typeof reasons];
						expect(entry?.condition ?? serving.reason).toBe(
							verdicts.find(({ type }) => type === conditions.serving)?.reason,
						);
						compared++;
					}
					const [first] = told.steps;
					const at = addressOf(told);
					if (ownership.kind === "Refused") {
						expect(first).toMatchObject({
							reason: written?.reason,
							message: written?.message,
						});
						compared++;
					} else if (at?.state === "Blocked") {
						expect(at).toMatchObject({
							reason: written?.reason,
							message: written?.message,
						});
						expect(written?.status).toBe("False");
						compared++;
					} else if (
						(at?.state === "Done" || at?.state === "Notice") &&
						facts.allocator.addressesOf(subject.metadata.uid ?? "").length > 0
					) {
						expect(written?.status).toBe("True");
						expect(at).toMatchObject({
							reason: written?.reason,
							message: written?.message,
						});
						compared++;
					}
				}
			}),
			{ numRuns: 1500 },
		);
		expect(compared).toBeGreaterThan(100);
	});
});

function addressOf({ steps }: Explanation): StepReport | undefined {
	return steps.find(({ step }) => step === "Address");
}

/** A balancer as its provider made it. */
const observed: ObservedBalancer = {
	id: "b",
	addresses: ["192.0.2.0"],
	ipMode: "VIP",
	ports: [{ protocol: "TCP", port: 80, state: "Configured" }],
	targetProblems: [],
};

describe("the registry of reasons", () => {
	it.each(Object.entries(reasons))(
		"has a sentence on %s, and help that is one",
		(_name, entry) => {
			const { meaning, help = "None." }: ReasonEntry = entry;
			expect(meaning).toMatch(/^\S[^|\n]+\.$/);
			expect(help).toMatch(/^\S[^|\n]+\.$/);
		},
	);
});

function shuffle<T>(list: T[]): fc.Arbitrary<T[]> {
	return fc.shuffledSubarray(list, {
		minLength: list.length,
		maxLength: list.length,
	});
}

/** What the controller has at hand for the same Service, from an allocator of its own. */
function ownWorld(service: Service, from: ClusterSnapshot) {
	const facts = new ClusterFacts(from);
	const ownership = resolveOwnership(service, facts.classes);
	if (ownership.kind !== "Ours") return {};
	const { metadata } = ownership.class;
	const { allocator } = facts;
	const result = facts.request(service, metadata.name);
	const addressing = addressingOf(
		result.ok
			? allocator.allocate(result.request)
			: {
					ok: false,
					addresses: allocator.addressesOf(result.request.uid),
					reasons: result.reasons,
					notices: allocator.noticesOf(result.request.uid),
				},
		metadata.name,
	);
	return {
		ours: {
			classGuarded: true,
			needsUndo: false,
			addressing,
			desired: desiredBalancer({
				clusterId: "c",
				service,
				targets: [],
				addresses: [],
				sourceRanges: [],
			}),
		},
	};
}
