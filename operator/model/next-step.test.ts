import fc from "fast-check";
import type { Service } from "../api/core.ts";
import type { BalancerClass } from "../api/fairlead.ts";
import type { Condition } from "../api/meta.ts";
import { annotations, conditions, finalizers } from "../api/names.ts";
import type { ObservedBalancer } from "./balancer/balancer.ts";
import { balancerTargets } from "./balancer/targets.ts";
import { desiredBalancer } from "./balancer/desired.ts";
import { nextStep, type ServiceChange, type Step } from "./next-step.ts";
import { resolveOwnership } from "./ownership.ts";
import type { Addressing, Outcome, World } from "./world.ts";

const cloud: BalancerClass = {
	metadata: { name: "cloud" },
	spec: { provider: "HetznerCloud", default: true },
};
const lab: BalancerClass = {
	metadata: { name: "lab" },
	spec: { provider: "Static" },
};
const node = { metadata: { name: "node-1" } };

const service = (change: Partial<Service["spec"]> = {}): Service => ({
	metadata: {
		name: "web",
		namespace: "shop",
		uid: "u-1",
		resourceVersion: "7",
	},
	spec: {
		type: "LoadBalancer",
		ports: [{ port: 80, nodePort: 30080 }],
		...change,
	},
});

const observed = (change: Partial<ObservedBalancer> = {}): Outcome => ({
	kind: "Observed",
	balancer: {
		id: "12",
		addresses: ["203.0.113.1"],
		ipMode: "VIP",
		ports: [{ protocol: "TCP", port: 80, state: "Configured" }],
		targetProblems: [],
		...change,
	},
});

function world(
	subject: Service,
	outcome: Outcome,
	change: {
		classes?: BalancerClass[];
		guarded?: boolean;
		addressing?: Addressing;
	} = {},
): World {
	const ownership = resolveOwnership(subject, change.classes ?? [cloud]);
	const result: World = {
		service: subject,
		ownership,
		outcome,
		readyEndpoints: true,
		seen: "90",
		now: "2026-01-01T00:00:00Z",
	};
	if (ownership.kind === "Ours")
		result.ours = {
			classGuarded: change.guarded ?? true,
			needsUndo: ownership.class.spec.provider === "HetznerCloud",
			addressing: change.addressing ?? { kind: "Provider" },
			desired: desiredBalancer({
				clusterId: "c-1",
				service: subject,
				targets: balancerTargets([node]),
				addresses: [],
				sourceRanges: [],
			}),
		};
	return result;
}

/** What the API server makes of a patch. */
function apply(subject: Service, change: ServiceChange): Service {
	const next = structuredClone(subject);
	const held = new Set(next.metadata.finalizers);
	if (change.addFinalizer) held.add(change.addFinalizer);
	if (change.removeFinalizer) held.delete(change.removeFinalizer);
	next.metadata.finalizers = [...held];
	next.metadata.annotations ??= {};
	for (const [name, value] of Object.entries(change.annotations ?? {}))
		if (value === null) delete next.metadata.annotations[name];
		else next.metadata.annotations[name] = value;
	next.status ??= {};
	const kept = (next.status.conditions ?? []).filter(
		(old) =>
			!change.dropConditions?.includes(old.type) &&
			!change.conditions?.some((each) => each.type === old.type),
	);
	next.status.conditions = [...kept, ...(change.conditions ?? [])];
	if (change.ingress) next.status.loadBalancer = { ingress: change.ingress };
	return next;
}

const patched = (step: Step): ServiceChange => {
	if (step.do !== "patch") throw new Error(`expected a patch, got ${step.do}`);
	return step.change;
};
const guarded = (change: Partial<Service["spec"]> = {}): Service =>
	apply(service(change), {
		addFinalizer: change.loadBalancerClass
			? finalizers.classed
			: finalizers.classless,
		annotations: { [annotations.provisionedBy]: "cloud/HetznerCloud" },
	});
const settled = (): Service => {
	const subject = guarded();
	return apply(subject, patched(nextStep(world(subject, observed()))));
};
const condition = (list: Condition[] | undefined, type: string) => {
	const found = list?.find((each) => each.type === type);
	return found && `${found.status}/${found.reason}`;
};

describe("the next step for a Service", () => {
	it("guards the class before anything is held through it", () => {
		expect(
			nextStep(world(service(), { kind: "Unknown" }, { guarded: false })),
		).toEqual({ do: "guard-class", className: "cloud" });
	});

	it("guards the class of a Service with nothing to undo as well: its address must not outlive it", () => {
		expect(
			nextStep(
				world(
					service({ loadBalancerClass: "fairlead.dev/lab" }),
					{ kind: "Unknown" },
					{ classes: [lab], guarded: false },
				),
			),
		).toEqual({ do: "guard-class", className: "lab" });
	});

	it("sets finalizer and holder before the first call to a provider", () => {
		const step = nextStep(world(service(), { kind: "Unknown" }));
		expect(step).toMatchObject({
			do: "patch",
			change: {
				addFinalizer: finalizers.classless,
				annotations: { [annotations.provisionedBy]: "cloud/HetznerCloud" },
			},
			event: { reason: "EnsuringLoadBalancer" },
		});
	});

	it("guards a classed Service with a finalizer no other controller strips", () => {
		const classed = service({ loadBalancerClass: "fairlead.dev/cloud" });
		expect(
			patched(nextStep(world(classed, { kind: "Unknown" }))).addFinalizer,
		).toBe(finalizers.classed);
	});

	it("calls the provider once the Service is guarded", () => {
		expect(nextStep(world(guarded(), { kind: "Unknown" })).do).toBe("ensure");
	});

	it("does nothing while a call is in flight", () => {
		expect(nextStep(world(guarded(), { kind: "InFlight" }))).toEqual({
			do: "nothing",
		});
	});

	it("records the address before ingress while the balancer is still being made", () => {
		const change = patched(
			nextStep(
				world(
					guarded(),
					observed({
						pending: { waitingFor: "action 5", retryAfterMs: 100 },
						ports: [{ protocol: "TCP", port: 80, state: "Configuring" }],
					}),
				),
			),
		);
		expect(change.ingress).toBeUndefined();
		expect(
			JSON.parse(change.annotations?.[annotations.assigned] ?? ""),
		).toEqual({ addresses: ["203.0.113.1"], class: "cloud", number: "90" });
		expect(condition(change.conditions, conditions.addressAssigned)).toBe(
			"True/Assigned",
		);
		expect(condition(change.conditions, conditions.provisioned)).toBe(
			"False/Provisioning",
		);
	});

	it("writes ingress with its ipMode when every port is configured", () => {
		expect(settled().status?.loadBalancer?.ingress).toEqual([
			{ ip: "203.0.113.1", ipMode: "VIP" },
		]);
	});

	it("does nothing for a Service that is as it should be", () => {
		expect(nextStep(world(settled(), observed()))).toEqual({ do: "nothing" });
	});

	it("writes ingress again when somebody wiped the status", () => {
		const wiped = settled();
		delete wiped.status;
		expect(patched(nextStep(world(wiped, observed()))).ingress).toEqual([
			{ ip: "203.0.113.1", ipMode: "VIP" },
		]);
	});

	it("names the error of a port that cannot be served and serves the others", () => {
		const two = guarded({
			ports: [
				{ port: 80, nodePort: 30080 },
				{ port: 53, nodePort: 30053, protocol: "UDP" },
			],
		});
		const change = patched(
			nextStep(
				world(
					two,
					observed({
						ports: [
							{ protocol: "TCP", port: 80, state: "Configured" },
							{
								protocol: "UDP",
								port: 53,
								state: "Refused",
								reason: "UnsupportedProtocol",
								message: "no UDP here",
							},
						],
					}),
				),
			),
		);
		expect(change.ingress?.[0]?.ports).toEqual([
			{ port: 80, protocol: "TCP" },
			{ port: 53, protocol: "UDP", error: "UnsupportedProtocol" },
		]);
		expect(condition(change.conditions, conditions.provisioned)).toBe(
			"False/PortsRefused",
		);
	});

	it("names a refused port once, whether its provider does or not", () => {
		const ports = ["port 53/UDP: cannot", "cannot"].map((message) => ({
			protocol: "UDP" as const,
			port: 53,
			state: "Refused" as const,
			message,
		}));
		const { conditions: told } = patched(
			nextStep(world(guarded(), observed({ ports }))),
		);
		expect(
			told?.find(({ type }) => type === conditions.provisioned)?.message,
		).toBe("port 53/UDP: cannot; port 53/UDP: cannot");
	});

	it("gives no ingress when every port is refused", () => {
		const change = patched(
			nextStep(
				world(
					guarded(),
					observed({
						ports: [
							{ protocol: "TCP", port: 80, state: "Refused", reason: "X" },
						],
					}),
				),
			),
		);
		expect(change.ingress).toBeUndefined();
		expect(condition(change.conditions, conditions.serving)).toBe(
			"False/NotProvisioned",
		);
	});

	it("calls no address assigned that the user merely asked for", () => {
		const asking = world(guarded(), {
			kind: "Failed",
			code: "CloudRefused",
			message: "Hetzner picks addresses",
		});
		if (asking.ours) asking.ours.desired.addresses = ["192.0.2.1"];
		expect(
			condition(
				patched(nextStep(asking)).conditions,
				conditions.addressAssigned,
			),
		).toBe("False/CloudRefused");
	});

	it.each<[string, Record<string, string>, string]>([
		["no wish", {}, ""],
		[
			"a pool",
			{ [annotations.pool]: "lan" },
			"; annotation fairlead.dev/pool is ignored: provider HetznerCloud picks addresses itself; remove it, or use a class with pools",
		],
		["an empty wish", { [annotations.pool]: " " }, ""],
		[
			"a sharing key and MetalLB's pool",
			{ [annotations.sharingKey]: "k", "metallb.io/address-pool": "lan" },
			"; annotations metallb.io/address-pool, fairlead.dev/sharing-key are ignored: provider HetznerCloud picks addresses itself; remove them, or use a class with pools",
		],
		[
			"an address that is none",
			{ [annotations.addresses]: "here" },
			'; a wish is ignored: fairlead.dev/addresses: "here" is not an IP address: IPv4 has four numbers with dots between, this has 1',
		],
		[
			"an adoption that means nothing",
			{ [annotations.adopt]: "yes" },
			'; annotation fairlead.dev/adopt says "yes", which means nothing: no leaves another controller\'s balancer, hcloud-ccm takes over that of hcloud-cloud-controller-manager',
		],
	])(
		"serves a Service with an address of a cloud all the same, and tells what of it is ignored: %s",
		(_row, wishes, told) => {
			const subject = guarded();
			Object.assign(subject.metadata.annotations ?? {}, wishes);
			const change = patched(nextStep(world(subject, observed())));
			expect(change.ingress).toHaveLength(1);
			expect(
				change.conditions?.find(
					({ type }) => type === conditions.addressAssigned,
				),
			).toMatchObject({
				status: "True",
				reason: "Assigned",
				message: `203.0.113.1 (class cloud)${told}`,
			});
			expect(nextStep(world(apply(subject, change), observed()))).toEqual({
				do: "nothing",
			});
		},
	);

	it("keeps the ingress of a served Service when the cloud fails, and says so once", () => {
		const failed: Outcome = {
			kind: "Failed",
			code: "CloudServerError",
			message: "POST /x: 500",
		};
		const step = nextStep(world(settled(), failed));
		expect(step).toMatchObject({ event: { reason: "SyncLoadBalancerFailed" } });
		const after = apply(settled(), patched(step));
		expect(after.status?.loadBalancer?.ingress).toHaveLength(1);
		expect(condition(after.status?.conditions, conditions.provisioned)).toBe(
			"False/CloudServerError",
		);
		expect(
			condition(after.status?.conditions, conditions.addressAssigned),
		).toBe("True/Assigned");
		expect(nextStep(world(after, failed))).toEqual({ do: "nothing" });
	});

	it("stays silent about work in flight on a served Service until it is slow", () => {
		const busy = observed({
			pending: { waitingFor: "action 9", retryAfterMs: 100 },
		});
		expect(nextStep(world(settled(), busy))).toEqual({ do: "nothing" });
		const slow = { ...busy, slow: true } as Outcome;
		expect(
			condition(
				patched(nextStep(world(settled(), slow))).conditions,
				conditions.provisioned,
			),
		).toBe("False/Provisioning");
	});

	it("never adds a finalizer to a Service that is being deleted", () => {
		const going = service();
		going.metadata.deletionTimestamp = "2026-01-01T00:00:00Z";
		going.metadata.finalizers = ["example.com/other"];
		expect(nextStep(world(going, { kind: "Unknown" }))).toEqual({
			do: "nothing",
		});
	});

	it("deletes the balancer before the finalizer goes", () => {
		const going = settled();
		going.metadata.deletionTimestamp = "2026-01-01T00:00:00Z";
		expect(nextStep(world(going, { kind: "Unknown" }))).toMatchObject({
			do: "delete",
			holding: { className: "cloud", provider: "HetznerCloud" },
		});
		expect(
			nextStep(world(going, { kind: "Deleting", waitingFor: "action 3" })),
		).toEqual({ do: "nothing" });
		expect(patched(nextStep(world(going, { kind: "Gone" })))).toMatchObject({
			removeFinalizer: finalizers.classless,
		});
	});

	it("asks every class when the record of the holder was wiped from a deleted Service", () => {
		const going = service({ loadBalancerClass: "fairlead.dev/cloud" });
		going.metadata.finalizers = [finalizers.classed];
		going.metadata.deletionTimestamp = "2026-01-01T00:00:00Z";
		expect(
			nextStep(world(going, { kind: "Unknown" }, { classes: [] })),
		).toMatchObject({ do: "delete", holding: undefined });
	});

	it("finds the balancer of a Service without class by its conditions when its record was stripped before it became another type", () => {
		const other = settled();
		other.metadata.annotations = {};
		other.spec.type = "ClusterIP";
		delete other.status?.loadBalancer;
		expect(nextStep(world(other, { kind: "Unknown" }))).toMatchObject({
			do: "delete",
			holding: undefined,
		});
		const bare = apply(
			other,
			patched(nextStep(world(other, { kind: "Gone" }))),
		);
		expect(bare.metadata.finalizers).toEqual([]);
		expect(nextStep(world(bare, { kind: "Unknown" }))).toEqual({
			do: "nothing",
		});
	});

	it("puts its marks back on a served Service without announcing that anything begins", () => {
		const stripped = settled();
		delete stripped.metadata.annotations;
		delete stripped.metadata.finalizers;
		const step = nextStep(world(stripped, observed()));
		expect(step).toMatchObject({
			do: "patch",
			change: {
				addFinalizer: finalizers.classless,
				annotations: { [annotations.provisionedBy]: "cloud/HetznerCloud" },
			},
		});
		expect(step).not.toHaveProperty("event");
	});

	it("says who is in the way of a served Service whose marks somebody keeps taking off, and unsays it", () => {
		const lost = ["annotation fairlead.dev/assigned"];
		const step = nextStep({ ...world(settled(), observed()), contested: lost });
		expect(step).toMatchObject({
			event: { type: "Warning", reason: "SyncLoadBalancerFailed" },
		});
		const told = apply(settled(), patched(step));
		const said = told.status?.conditions?.find(
			({ type }) => type === conditions.provisioned,
		);
		expect(said).toMatchObject({ status: "True", reason: "Contested" });
		expect(said?.message).toContain("annotation fairlead.dev/assigned");
		expect(nextStep({ ...world(told, observed()), contested: lost })).toEqual({
			do: "nothing",
		});
		const after = apply(told, patched(nextStep(world(told, observed()))));
		expect(condition(after.status?.conditions, conditions.provisioned)).toBe(
			"True/Provisioned",
		);
	});

	it("leaves a class-less Service to the controller that serves it, and tells it so", () => {
		const theirs = service();
		theirs.metadata.finalizers = [finalizers.classless];
		theirs.status = { loadBalancer: { ingress: [{ ip: "198.51.100.9" }] } };
		const change = patched(nextStep(world(theirs, { kind: "Unknown" })));
		expect(Object.keys(change)).toEqual(["conditions"]);
		expect(condition(change.conditions, conditions.addressAssigned)).toBe(
			"False/ClaimedByAnother",
		);
		const told = apply(theirs, change);
		told.metadata.deletionTimestamp = "2026-01-01T00:00:00Z";
		expect(nextStep(world(told, { kind: "Unknown" }))).toEqual({
			do: "nothing",
		});
	});

	it("takes every trace off a Service that became another type", () => {
		const other = settled();
		other.spec.type = "ClusterIP";
		delete other.status?.loadBalancer;
		const bare = apply(
			other,
			patched(nextStep(world(other, { kind: "Gone" }))),
		);
		expect(bare.metadata.finalizers).toEqual([]);
		expect(bare.metadata.annotations).toEqual({});
		expect(bare.status?.conditions).toEqual([]);
		expect(nextStep(world(bare, { kind: "Unknown" }))).toEqual({
			do: "nothing",
		});
	});

	it("leaves the shared finalizer to whoever set it on a Service we had nothing to undo for", () => {
		const lent = service();
		lent.metadata.annotations = { [annotations.provisionedBy]: "lab/Static" };
		lent.metadata.finalizers = [finalizers.classless];
		lent.spec.type = "ClusterIP";
		const change = patched(nextStep(world(lent, { kind: "Gone" })));
		expect(change.removeFinalizer).toBeUndefined();
		expect(change.annotations?.[annotations.provisionedBy]).toBeNull();
	});

	it("takes record and ingress off a Service that lost its address", () => {
		const subject = service({ loadBalancerClass: "fairlead.dev/lab" });
		const classes = [lab];
		const served = apply(
			subject,
			patched(
				nextStep(
					world(subject, observed({ addresses: ["10.9.0.1"] }), {
						classes,
						addressing: {
							kind: "Pools",
							assignment: {
								addresses: ["10.9.0.1"],
								class: "lab",
								pools: ["blue"],
							},
						},
					}),
				),
			),
		);
		const lost = world(
			served,
			{ kind: "Unknown" },
			{
				classes,
				addressing: {
					kind: "Refused",
					reason: "AddressInUse",
					message: "10.9.0.1 is shop/other's",
				},
			},
		);
		const change = patched(nextStep(lost));
		expect(change.ingress).toEqual([]);
		expect(change.annotations).toEqual({ [annotations.assigned]: null });
		expect(nextStep({ ...lost, service: apply(served, change) })).toEqual({
			do: "nothing",
		});
	});

	it("leaves an ingress alone that another controller has written meanwhile", () => {
		const moved = settled();
		moved.status = { loadBalancer: { ingress: [{ ip: "198.51.100.9" }] } };
		const change = patched(
			nextStep(world(moved, { kind: "Gone" }, { classes: [] })),
		);
		expect(change.ingress).toBeUndefined();
	});

	it("gives back what another class holds before the new class takes over", () => {
		const moved = settled();
		const fresh: BalancerClass = {
			metadata: { name: "fresh" },
			spec: { provider: "HetznerCloud", default: true },
		};
		expect(
			nextStep(world(moved, { kind: "Unknown" }, { classes: [fresh] })),
		).toMatchObject({ do: "delete", holding: { className: "cloud" } });
	});

	it("leaves a Service of another controller's class alone", () => {
		expect(
			nextStep(
				world(service({ loadBalancerClass: "example.com/lb" }), {
					kind: "Unknown",
				}),
			),
		).toEqual({ do: "nothing" });
	});

	it("says on the Service that its class does not exist", () => {
		const change = patched(
			nextStep(
				world(service({ loadBalancerClass: "fairlead.dev/typo" }), {
					kind: "Unknown",
				}),
			),
		);
		expect(condition(change.conditions, conditions.addressAssigned)).toBe(
			"False/UnknownClass",
		);
		expect(change.addFinalizer).toBeUndefined();
	});

	it("gives a Service of a class with nothing to undo all it needs in one patch, without finalizer", () => {
		const subject = service({ loadBalancerClass: "fairlead.dev/lab" });
		const change = patched(
			nextStep(
				world(subject, observed({ addresses: ["10.9.0.1"] }), {
					classes: [lab],
					addressing: {
						kind: "Pools",
						assignment: {
							addresses: ["10.9.0.1"],
							class: "lab",
							pools: ["blue"],
						},
					},
				}),
			),
		);
		expect(change.addFinalizer).toBeUndefined();
		expect(change.ingress).toEqual([{ ip: "10.9.0.1", ipMode: "VIP" }]);
		expect(Object.keys(change.annotations ?? {})).toHaveLength(2);
		expect(change.conditions).toHaveLength(4);
	});

	it("tells a Service why no pool could give it an address", () => {
		const subject = service({ loadBalancerClass: "fairlead.dev/lab" });
		const step = nextStep(
			world(
				subject,
				{ kind: "Unknown" },
				{
					classes: [lab],
					addressing: {
						kind: "Refused",
						reason: "PoolsExhausted",
						message: "pool blue: full (4 of 4)",
					},
				},
			),
		);
		expect(step).toMatchObject({ event: { note: "pool blue: full (4 of 4)" } });
		expect(
			condition(patched(step).conditions, conditions.addressAssigned),
		).toBe("False/PoolsExhausted");
	});
});

/** One Service, one cloud that may hold one balancer for it, and a controller that forgets everything when it crashes. */
function simulate(
	actions: ("delete" | "retype" | "class-off" | "run" | "crash" | "wipe")[],
) {
	let subject: Service | undefined = service();
	let balancer = false;
	let outcome: Outcome = { kind: "Unknown" };
	let classes = [cloud];
	const act = (crashAfterEffect: boolean): boolean => {
		if (!subject) return false;
		const step = nextStep(world(subject, outcome, { classes }));
		switch (step.do) {
			case "patch": {
				if (!subject.metadata.deletionTimestamp && step.change.addFinalizer)
					expect(balancer).toBe(false);
				subject = apply(subject, step.change);
				if (
					subject.metadata.deletionTimestamp &&
					subject.metadata.finalizers?.length === 0
				)
					subject = undefined;
				break;
			}
			case "ensure":
				expect(subject.metadata.finalizers).toContain(finalizers.classless);
				balancer = true;
				if (!crashAfterEffect) outcome = observed();
				break;
			case "delete":
				balancer = false;
				if (!crashAfterEffect) outcome = { kind: "Gone" };
				break;
			default:
				return false;
		}
		if (crashAfterEffect) outcome = { kind: "Unknown" };
		return true;
	};
	for (const action of actions) {
		if (action === "run") act(false);
		else if (action === "crash") act(true);
		else if (!subject) break;
		else {
			outcome = { kind: "Unknown" };
			if (action === "retype")
				subject.spec.type =
					subject.spec.type === "LoadBalancer" ? "ClusterIP" : "LoadBalancer";
			if (action === "class-off") classes = classes.length > 0 ? [] : [cloud];
			if (action === "wipe") delete subject.status;
			if (action === "delete") {
				subject.metadata.deletionTimestamp = "2026-01-01T00:00:00Z";
				if ((subject.metadata.finalizers ?? []).length === 0)
					subject = undefined;
			}
		}
	}
	let turns = 0;
	while (act(false)) expect(++turns).toBeLessThan(10);
	return { subject, balancer, wanted: classes.length > 0 };
}

describe("whatever happens and wherever it crashes", () => {
	it("ends with a balancer exactly where one is wanted, and no trace where none is", () => {
		fc.assert(
			fc.property(
				fc.array(
					fc.constantFrom(
						"delete",
						"retype",
						"class-off",
						"run",
						"run",
						"crash",
						"wipe",
					),
					{ maxLength: 25 },
				),
				(actions) => {
					const end = simulate(actions as Parameters<typeof simulate>[0]);
					const wanted =
						end.subject !== undefined &&
						end.wanted &&
						end.subject.spec.type === "LoadBalancer";
					expect(end.balancer).toBe(wanted);
					if (!end.subject) return;
					const ingress = end.subject.status?.loadBalancer?.ingress ?? [];
					expect(ingress).toHaveLength(wanted ? 1 : 0);
					if (!wanted) {
						expect(end.subject.metadata.finalizers ?? []).toEqual([]);
						expect(end.subject.metadata.annotations ?? {}).toEqual({});
					}
				},
			),
			{ numRuns: 500 },
		);
	});
});
