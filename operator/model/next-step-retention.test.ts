import type { Service } from "../api/core.ts";
import type { BalancerClass } from "../api/fairlead.ts";
import { annotations, conditions, finalizers } from "../api/names.ts";
import { nextStep, type Step } from "./next-step.ts";
import { resolveOwnership } from "./ownership.ts";
import type { Addressing, World } from "./world.ts";

const lan: BalancerClass = {
	metadata: { name: "lan" },
	spec: { provider: "Static", default: true },
};
const pools: Addressing = {
	kind: "Pools",
	assignment: { addresses: ["10.0.0.1"], class: "lan", pools: ["p"] },
};

interface So {
	finalizer?: boolean;
	deleted?: boolean;
	type?: "ClusterIP";
	retained?: boolean;
	mustNote?: boolean;
	notice?: { reason?: string; message: string };
}

function step(so: So): Step {
	const service: Service = {
		metadata: {
			name: "web",
			namespace: "shop",
			uid: "u",
			resourceVersion: "7",
			annotations: { [annotations.provisionedBy]: "lan/Static" },
			finalizers: so.finalizer ? [finalizers.classed] : [],
			...(so.deleted ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
		},
		spec: { type: so.type ?? "LoadBalancer", ports: [{ port: 80 }] },
	};
	const ownership = resolveOwnership(service, [lan]);
	const leaves = so.deleted || so.type !== undefined;
	const world: World = {
		service,
		ownership,
		readyEndpoints: true,
		seen: "9",
		now: "2026-01-01T00:00:00Z",
		...(so.mustNote ? { mustNote: true } : {}),
		outcome: leaves
			? { kind: "Gone" }
			: {
					kind: "Observed",
					balancer: {
						id: "1",
						addresses: ["10.0.0.1"],
						ipMode: "VIP",
						ports: [{ protocol: "TCP", port: 80, state: "Configured" }],
						targetProblems: [],
					},
				},
	};
	if (!leaves)
		world.ours = {
			classGuarded: true,
			needsUndo: false,
			retained: so.retained ?? false,
			addressing: { ...pools, ...(so.notice ? { notice: so.notice } : {}) },
			desired: {
				identity: { clusterId: "c", serviceUid: "u", name: "n" },
				service: { namespace: "shop", name: "web" },
				families: ["IPv4"],
				addresses: ["10.0.0.1"],
				listeners: [],
				targets: [],
				sourceRanges: [],
			} as unknown as NonNullable<World["ours"]>["desired"],
		};
	return nextStep(world);
}

const change = (so: So) => {
	const next = step(so);
	if (next.do !== "patch") throw new Error(`expected a patch, got ${next.do}`);
	return next.change;
};

describe("a Service whose pool keeps what it releases", () => {
	it("gets a finalizer of our own in the patch that records its address", () => {
		expect(change({ retained: true })).toMatchObject({
			addFinalizer: finalizers.classed,
			annotations: { [annotations.assigned]: expect.any(String) },
			ingress: [{ ip: "10.0.0.1" }],
		});
	});

	it.each<[string, So]>([
		["is deleted", { deleted: true }],
		["became another type", { type: "ClusterIP" }],
	])("has that noted before it is let go when it %s", (_what, so) => {
		expect(step({ ...so, finalizer: true, mustNote: true })).toEqual({
			do: "note-addresses",
		});
		expect(change({ ...so, finalizer: true })).toMatchObject({
			removeFinalizer: finalizers.classed,
			annotations: { [annotations.assigned]: null },
		});
	});
});

it("A Service loses the finalizer when its pool keeps nothing any more, and has none without", () => {
	expect(change({ finalizer: true }).removeFinalizer).toBe(finalizers.classed);
	const { addFinalizer, removeFinalizer } = change({});
	expect([addFinalizer, removeFinalizer]).toEqual([undefined, undefined]);
});

it.each<[string, So["notice"], object]>([
	[
		"what is out of order is the reason, and the address stays assigned",
		{ reason: "OutsidePool", message: "pool p: it is kept" },
		{
			status: "True",
			reason: "OutsidePool",
			message: "10.0.0.1 (pool p, class lan); pool p: it is kept",
		},
	],
	[
		"what is worth a word is said beside",
		{ message: "pool p: no IPv6 addresses" },
		{
			status: "True",
			reason: "Assigned",
			message: "10.0.0.1 (pool p, class lan); pool p: no IPv6 addresses",
		},
	],
])("In condition AddressAssigned %s", (_what, notice, expected) => {
	expect(
		change(notice ? { notice } : {}).conditions?.find(
			({ type }) => type === conditions.addressAssigned,
		),
	).toMatchObject(expected);
});
