import type { Service } from "../api/core.ts";
import { annotations, conditions } from "../api/names.ts";
import { type Programming, programmingOf } from "./agents.ts";
import { formatAssignment } from "./assignment.ts";
import type { ObservedBalancer } from "./balancer/balancer.ts";
import { nextStep, type ServiceChange } from "./next-step.ts";
import type { World } from "./world.ts";

const balancer = (addresses: string[]): ObservedBalancer => ({
	id: "web",
	addresses,
	ipMode: "VIP",
	ports: [{ protocol: "TCP", port: 80, state: "Configured" }],
	targetProblems: [],
});

const record = (addresses: string[]) =>
	formatAssignment({
		addresses,
		class: "lab",
		pools: addresses.map(() => "lab"),
		number: "1",
	});

/** A Service of a Static class whose pool gives it `wanted`. */
function change(
	wanted: string[],
	programming: Programming,
	{ recorded = [], shown = [] }: { recorded?: string[]; shown?: string[] } = {},
): ServiceChange {
	const service: Service = {
		metadata: {
			name: "web",
			namespace: "shop",
			uid: "u-1",
			annotations: {
				[annotations.provisionedBy]: "lab/Static",
				...(recorded.length > 0
					? { [annotations.assigned]: record(recorded) }
					: {}),
			},
		},
		spec: { type: "LoadBalancer", ports: [{ port: 80 }] },
		status: {
			loadBalancer: {
				ingress: shown.map((ip) => ({ ip, ipMode: "VIP" as const })),
			},
		},
	};
	const world: World = {
		service,
		ownership: {
			kind: "Ours",
			class: { metadata: { name: "lab" }, spec: { provider: "Static" } },
		},
		ours: {
			classGuarded: true,
			needsUndo: false,
			addressing: {
				kind: "Pools",
				assignment: {
					addresses: wanted,
					class: "lab",
					pools: wanted.map(() => "lab"),
				},
			},
			desired: {
				identity: { clusterId: "c", serviceUid: "u-1", name: "web" },
				service: { namespace: "shop", name: "web" },
				families: ["IPv4"],
				addresses: wanted,
				listeners: [],
				targets: [],
				sourceRanges: [],
			},
		},
		outcome: { kind: "Observed", balancer: balancer(wanted) },
		readyEndpoints: true,
		programming,
		seen: "90",
		now: "2026-01-01T00:00:00Z",
	};
	const step = nextStep(world);
	if (step.do !== "patch") throw new Error(`expected a patch, got ${step.do}`);
	return step.change;
}

const asked = { services: "10", endpointSlices: "10" };
const reports = (...reached: number[]) =>
	programmingOf(
		asked,
		reached.map((version, each) => ({
			node: `node-${each}`,
			reached: { services: `${version}`, endpointSlices: `${version}` },
		})),
		undefined,
		false,
	);
const said = ({ conditions: all = [] }: ServiceChange, type: string) =>
	all.find((each) => each.type === type)?.reason;

describe("an address that a pool gave", () => {
	it("is recorded and shown in one write where nobody reports", () => {
		const made = change(["192.0.2.1"], { kind: "NoAgents" });
		expect(made.annotations).toHaveProperty([annotations.assigned]);
		expect(made.ingress).toEqual([{ ip: "192.0.2.1", ipMode: "VIP" }]);
		expect(said(made, conditions.programmed)).toBe("NoAgents");
	});

	it("is recorded first where agents report, whatever they had programmed before", () => {
		for (const programming of [
			{ kind: "Unrecorded" } as const,
			reports(10, 11),
			reports(9),
		]) {
			const made = change(["192.0.2.1"], programming);
			expect(made.annotations).toHaveProperty([annotations.assigned]);
			expect(made.ingress).toBeUndefined();
			expect(said(made, conditions.programmed)).toBe("Programming");
			expect(said(made, conditions.serving)).toBe("NotProgrammed");
		}
	});

	it("is shown when all have the record in their rules", () => {
		const recorded = ["192.0.2.1"];
		const made = change(recorded, reports(10, 11), { recorded });
		expect(made.ingress).toEqual([{ ip: "192.0.2.1", ipMode: "VIP" }]);
		expect(said(made, conditions.programmed)).toBe("Programmed");
		expect(said(made, conditions.serving)).toBe("EndpointsReady");
	});

	it("is not shown while one is behind", () => {
		const recorded = ["192.0.2.1"];
		const made = change(recorded, reports(10, 9), { recorded });
		expect(made.ingress).toBeUndefined();
	});

	it("takes the place of one that it no longer holds at once, but is shown later", () => {
		const made = change(["192.0.2.2"], reports(10, 10), {
			recorded: ["192.0.2.1"],
			shown: ["192.0.2.1"],
		});
		expect(made.ingress).toEqual([]);
		expect(said(made, conditions.programmed)).toBe("Programming");
	});

	it("joins one of another family that goes on being shown", () => {
		const recorded = ["192.0.2.1", "2001:db8::1"];
		const before = change(recorded, reports(9), {
			recorded,
			shown: ["192.0.2.1"],
		});
		expect(before.ingress).toBeUndefined();
		const after = change(recorded, reports(10), {
			recorded,
			shown: ["192.0.2.1"],
		});
		expect(after.ingress?.map(({ ip }) => ip)).toEqual(recorded);
	});
});
