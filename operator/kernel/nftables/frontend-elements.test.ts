import fc from "fast-check";
import type { Backend, Frontend } from "../../model/rules/program.ts";
import { changeFrontend, noChanges } from "./frontend-elements.ts";

const anyBackends: fc.Arbitrary<Backend[]> = fc.array(
	fc.record({
		address: fc.constantFrom("10.244.1.2", "10.244.1.3", "10.244.2.2"),
		port: fc.constantFrom(80, 8080),
		local: fc.boolean(),
	}),
	{ maxLength: 5 },
);

const anyFrontend: fc.Arbitrary<Frontend> = fc.record(
	{
		kind: fc.constant("LoadBalancer"),
		family: fc.constant("IPv4"),
		address: fc.constant("203.0.113.10"),
		protocol: fc.constant("TCP"),
		port: fc.constant(80),
		service: fc.constantFrom("default/a", "default/b"),
		portName: fc.constantFrom("", "http"),
		endpoints: anyBackends,
		internalEndpoints: anyBackends,
		whenEmpty: fc.constantFrom("reject", "drop"),
		masquerade: fc.constantFrom("always", "outside", "node"),
		affinitySeconds: fc.constantFrom(60, 10800),
		sourceRanges: fc.array(
			fc.constantFrom("0.0.0.0/0", "192.0.2.0/24", "198.18.0.0/24"),
		),
	} as const,
	{
		requiredKeys: [
			"kind",
			"family",
			"address",
			"protocol",
			"port",
			"service",
			"portName",
			"endpoints",
			"whenEmpty",
			"masquerade",
		],
	},
);

/** Sets as the kernel keeps them: it refuses to delete what is not there and to add what is. */
class Sets {
	readonly elements = new Map<string, string>();

	change(before: Frontend | undefined, after: Frontend | undefined): number {
		const changes = noChanges();
		changeFrontend(changes, before, after);
		let count = 0;
		for (const [set, list] of changes.deleted)
			for (const { key } of list) {
				if (!this.elements.delete(`${set} ${key.toString("hex")}`))
					throw new Error(`nothing to delete from ${set}`);
				count++;
			}
		for (const [set, list] of changes.added)
			for (const { key, ...rest } of list) {
				const name = `${set} ${key.toString("hex")}`;
				if (this.elements.has(name)) throw new Error(`twice in ${set}`);
				this.elements.set(name, JSON.stringify(rest));
				count++;
			}
		return count;
	}
}

test("any way from one state of a frontend to another ends in the same elements, and back at none", () => {
	fc.assert(
		fc.property(fc.array(anyFrontend, { minLength: 1 }), (states) => {
			const sets = new Sets();
			states.forEach((after, index) => {
				sets.change(states[index - 1], after);
			});
			const last = states.at(-1);
			const atOnce = new Sets();
			atOnce.change(undefined, last);
			expect(sets.elements).toEqual(atOnce.elements);
			sets.change(last, undefined);
			expect(sets.elements.size).toBe(0);
		}),
	);
});

test("a frontend that stays the same changes nothing", () => {
	fc.assert(
		fc.property(anyFrontend, (frontend) => {
			const sets = new Sets();
			sets.change(undefined, frontend);
			expect(sets.change(frontend, { ...frontend })).toBe(0);
		}),
	);
});

test("one endpoint more costs three elements, one replaced costs two, however many there are", () => {
	const endpoints = Array.from({ length: 1000 }, (_, index) => ({
		address: `10.1.${index >> 8}.${index & 255}`,
		port: 80,
		local: false,
	}));
	const frontend: Frontend = {
		kind: "ClusterIP",
		family: "IPv4",
		address: "10.96.0.1",
		protocol: "TCP",
		port: 80,
		service: "default/web",
		portName: "",
		endpoints,
		whenEmpty: "reject",
		masquerade: "outside",
	};
	const sets = new Sets();
	sets.change(undefined, frontend);
	const one = { address: "10.2.0.1", port: 80, local: false };
	const more = { ...frontend, endpoints: [...endpoints, one] };
	expect(sets.change(frontend, more)).toBe(3);
	const replaced = { ...more, endpoints: more.endpoints.with(500, one) };
	expect(sets.change(more, replaced)).toBe(2);
});
