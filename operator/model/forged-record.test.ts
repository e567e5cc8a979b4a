import { assignedCondition } from "../../test/support/assigned-condition.ts";
import type { Service } from "../api/core.ts";
import type { BalancerClass } from "../api/fairlead.ts";
import { annotations, conditions, finalizers } from "../api/names.ts";
import { formatAssignment } from "./assignment.ts";
import { nextStep } from "./next-step.ts";
import { resolveOwnership } from "./ownership.ts";
import type { World } from "./world.ts";

const record = {
	addresses: ["8.8.8.8"],
	class: "nope",
	pools: ["p"],
	number: "9",
};
const said: NonNullable<Service["status"]>[] = [
	{ conditions: [assignedCondition("8.8.8.8")] },
	{ loadBalancer: { ingress: [{ ip: "8.8.8.8" }] } },
];

/** A Service on which 8.8.8.8 is recorded, of a class that does not exist unless one is given. */
function world(
	status: Service["status"],
	recordHeld: boolean,
	cloud?: BalancerClass,
): World {
	const service: Service = {
		metadata: {
			namespace: "shop",
			name: "web",
			uid: "u",
			resourceVersion: "7",
			annotations: { [annotations.assigned]: formatAssignment(record) },
		},
		spec: {
			type: "LoadBalancer",
			loadBalancerClass: `fairlead.dev/${cloud?.metadata.name ?? "nope"}`,
			ports: [{ port: 80 }],
		},
		...(status ? { status } : {}),
	};
	const subject: World = {
		service,
		ownership: resolveOwnership(service, cloud ? [cloud] : []),
		outcome: { kind: "Unknown" },
		readyEndpoints: true,
		seen: "9",
		now: "2026-01-01T00:00:00Z",
		recordHeld,
	};
	if (cloud)
		subject.ours = {
			classGuarded: true,
			needsUndo: true,
			addressing: { kind: "Provider" },
			desired: { targets: [] } as unknown as NonNullable<
				World["ours"]
			>["desired"],
		};
	return subject;
}

const change = (subject: World) => {
	const step = nextStep(subject);
	if (step.do !== "patch") throw new Error(`expected a patch, got ${step.do}`);
	return step.change;
};

test("a record that nothing bears out is taken off a Service that is refused", () => {
	expect(change(world(undefined, false)).annotations).toEqual({
		[annotations.assigned]: null,
	});
});

test.each(said)(
	"a refused Service keeps the record that %j bears out",
	(status) => {
		expect(change(world(status, false)).annotations).toBeUndefined();
	},
);

test("a refused Service keeps the record of what it holds, whatever became of its status", () => {
	expect(change(world(undefined, true)).annotations).toBeUndefined();
});

test("a record that nothing bears out does not make the controller say that it is so", () => {
	const cloud: BalancerClass = {
		metadata: { name: "cloud" },
		spec: { provider: "HetznerCloud" },
	};
	const patched = change(world(undefined, false, cloud));
	expect(
		patched.conditions?.find(({ type }) => type === conditions.addressAssigned),
	).toMatchObject({ status: "False", reason: "Provisioning" });
});

test("a record is written together with the condition that bears it out, on a Service that is guarded already too", () => {
	const cloud: BalancerClass = {
		metadata: { name: "cloud" },
		spec: { provider: "HetznerCloud" },
	};
	const subject = world(undefined, false, cloud);
	subject.service.metadata.finalizers = [finalizers.classed];
	subject.ours = {
		...(subject.ours as NonNullable<World["ours"]>),
		addressing: {
			kind: "Pools",
			assignment: { addresses: ["10.0.0.1"], class: "cloud", pools: ["p"] },
		},
	};
	const patched = change(subject);
	expect(patched.annotations?.[annotations.assigned]).toContain("10.0.0.1");
	expect(
		patched.conditions?.find(({ type }) => type === conditions.addressAssigned),
	).toMatchObject({
		status: "True",
		message: expect.stringMatching(/^10\.0\.0\.1 \(/),
	});
});
