import fc from "fast-check";
import { type Change, diff, effect, type WantedBalancer } from "./diff.ts";
import {
	listenerKey,
	ownedParts,
	ownsLabels,
	type PartKey,
	targetKey,
} from "./ownership.ts";
import type {
	CloudBalancer,
	CloudService,
	CloudTarget,
	OwnTarget,
} from "./wire.ts";

const identity = { "fairlead.dev/service-uid": "u1" };

function service(port: number, destination: number, protocol = "tcp") {
	return {
		protocol,
		listen_port: port,
		destination_port: destination,
		proxyprotocol: false,
		health_check: {
			protocol: "tcp",
			port: destination,
			interval: 3,
			timeout: 2,
			retries: 2,
		},
	} satisfies CloudService;
}

function server(id: number): OwnTarget {
	return { type: "server", server: { id }, use_private_ip: false };
}

/** The cloud as its documentation has it: what is there cannot be added, what is not there cannot be changed. */
function cloudDoes(balancer: CloudBalancer, call: Change): CloudBalancer {
	const port = (each: CloudService) =>
		listenerKey(each.protocol, each.listen_port);
	const next = structuredClone(balancer);
	const at = (key: PartKey) =>
		next.services.findIndex((each) => port(each) === key);
	switch (call.do) {
		case "update":
			return { ...next, name: call.name, labels: call.labels };
		case "change_algorithm":
			expect(call.type).not.toBe(balancer.algorithm.type);
			return { ...next, algorithm: { type: call.type } };
		case "change_type":
			expect(call.type).not.toBe(balancer.load_balancer_type?.name);
			return { ...next, load_balancer_type: { name: call.type } };
		case "add_service":
			expect(at(port(call.service))).toBe(-1);
			next.services.push(call.service);
			return next;
		case "update_service":
			expect(at(port(call.service))).not.toBe(-1);
			next.services[at(port(call.service))] = call.service;
			return next;
		case "delete_service":
			expect(at(port(call.service))).not.toBe(-1);
			next.services.splice(at(port(call.service)), 1);
			return next;
		case "add_targets":
			for (const target of call.targets) {
				expect(next.targets.map(targetKey)).not.toContain(targetKey(target));
				next.targets.push(target);
			}
			return next;
		case "remove_targets":
			for (const target of call.targets) {
				const index = next.targets.map(targetKey).indexOf(targetKey(target));
				expect(index).not.toBe(-1);
				next.targets.splice(index, 1);
			}
			return next;
	}
}

const byKey = <T>(key: (each: T) => string | undefined) => ({
	selector: key,
	maxLength: 6,
});
const services = fc.uniqueArray(
	fc
		.tuple(
			fc.integer({ min: 80, max: 86 }),
			fc.integer({ min: 30000, max: 30002 }),
			fc.constantFrom("tcp", "udp"),
		)
		.map((each) => service(...each)),
	byKey((each: CloudService) => listenerKey(each.protocol, each.listen_port)),
);
const targets: fc.Arbitrary<OwnTarget[]> = fc.uniqueArray(
	fc.oneof(
		fc.integer({ min: 1, max: 6 }).map(server),
		fc
			.integer({ min: 1, max: 4 })
			.map((host): OwnTarget => ({ type: "ip", ip: { ip: `10.0.0.${host}` } })),
	),
	byKey(targetKey),
);
const someKeys = fc
	.tuple(services, targets)
	.map(([s, t]) => [
		...s.map((each) => listenerKey(each.protocol, each.listen_port)),
		...t.map((each) => targetKey(each) as PartKey),
	]);

const observed: fc.Arbitrary<CloudBalancer> = fc
	.record({
		name: fc.constantFrom("fairlead-a", "renamed"),
		services,
		targets,
		selector: fc.boolean(),
		algorithm: fc.constantFrom("round_robin", "least_connections"),
		listed: someKeys,
		labels: fc.dictionary(fc.constantFrom("team", "env"), fc.constant("x")),
		identified: fc.boolean(),
		type: fc.constantFrom("lb11", "lb21"),
	})
	.map((each) => ({
		id: 1,
		name: each.name,
		labels: {
			...each.labels,
			...(each.identified ? identity : {}),
			...ownsLabels(each.listed),
		},
		created: "2026-01-01T00:00:00+00:00",
		protection: { delete: false },
		public_net: { ipv4: { ip: "203.0.113.1" }, ipv6: { ip: "2001:db8::1" } },
		algorithm: { type: each.algorithm },
		load_balancer_type: { name: each.type },
		services: each.services,
		targets: [
			...each.targets,
			...(each.selector ? [{ type: "other" as const }] : []),
		],
	}));
const wanted: fc.Arbitrary<WantedBalancer> = fc
	.record({
		services,
		targets,
		type: fc.constantFrom(undefined, "lb11", "lb21"),
	})
	.map(({ type, ...each }) => ({
		name: "fairlead-a",
		labels: identity,
		algorithm: "round_robin",
		...(type === undefined ? {} : { type }),
		...each,
	}));
const remembered = someKeys.map((keys) => new Set(keys));

const tcpKey = (each: CloudService) =>
	listenerKey(each.protocol, each.listen_port);
const sorted = <T>(list: T[]) =>
	list.map((each) => JSON.stringify(each)).sort();

describe("diff", () => {
	it("leads any balancer to what is wanted, leaves what is foreign, and then has nothing more to ask", () => {
		fc.assert(
			fc.property(
				observed,
				wanted,
				remembered,
				fc.boolean(),
				(before, want, memory, batch) => {
					const { calls, taken } = diff(before, want, memory, batch);
					const after = calls.reduce(cloudDoes, before);
					const ours = new Set([...ownedParts(before.labels), ...memory]);
					const wantedKeys = new Set([
						...want.services.map(tcpKey),
						...want.targets.map(targetKey),
					]);
					const foreignServices = before.services.filter(
						(each) =>
							!ours.has(tcpKey(each)) &&
							(!wantedKeys.has(tcpKey(each)) ||
								taken.some((t) => tcpKey(t) === tcpKey(each))),
					);
					const foreignTargets = before.targets.filter((each: CloudTarget) => {
						const key = targetKey(each);
						return (
							key === undefined || (!ours.has(key) && !wantedKeys.has(key))
						);
					});
					const got = want.services.filter((each) => !taken.includes(each));
					expect(sorted(after.services)).toEqual(
						sorted([...got, ...foreignServices]),
					);
					expect(sorted(after.targets)).toEqual(
						sorted([...want.targets, ...foreignTargets]),
					);
					expect(after.name).toBe(want.name);
					expect(after.algorithm.type).toBe("round_robin");
					expect(after.labels).toMatchObject(want.labels);
					expect(after.labels.team).toBe(before.labels.team);
					// A listener that is gone, or never was ours, is not listed as ours.
					const listed = ownedParts(after.labels);
					expect([...listed].filter((key) => /^[pu]/.test(key)).sort()).toEqual(
						got.map(tcpKey).sort(),
					);
					for (const target of want.targets)
						expect(listed).toContain(targetKey(target));
					expect(diff(after, want, new Set(), batch).calls).toEqual([]);
				},
			),
			{ numRuns: 1_000 },
		);
	});

	it("lists a part as ours before it adds it and until after it removed it, so that a crash in between leaves nothing nobody owns", () => {
		fc.assert(
			fc.property(observed, wanted, (before, want) => {
				const listedBefore = ownedParts(before.labels);
				let now = before;
				for (const call of diff(before, want, new Set()).calls) {
					now = cloudDoes(now, call);
					const listed = ownedParts(now.labels);
					for (const key of [
						...now.services.map(tcpKey),
						...now.targets.map((each) => targetKey(each) ?? ""),
					]) {
						const foreign =
							!listedBefore.has(key) &&
							[
								...before.services.map(tcpKey),
								...before.targets.map(targetKey),
							].includes(key);
						if (key && !foreign) expect(listed).toContain(key);
					}
				}
			}),
		);
	});

	it("takes the same path when it is cut short after any call and decided anew", () => {
		fc.assert(
			fc.property(observed, wanted, fc.nat(20), (before, want, cut) => {
				const { calls } = diff(before, want, new Set());
				const halfway = calls.slice(0, cut).reduce(cloudDoes, before);
				const straight = calls.reduce(cloudDoes, before);
				const resumed = diff(halfway, want, new Set()).calls.reduce(
					cloudDoes,
					halfway,
				);
				expect(sorted(resumed.services)).toEqual(sorted(straight.services));
				expect(sorted(resumed.targets)).toEqual(sorted(straight.targets));
			}),
		);
	});

	it("foretells what the cloud makes of its calls, once or twice", () => {
		fc.assert(
			fc.property(observed, wanted, (before, want) => {
				let now = before;
				for (const call of diff(before, want, new Set()).calls) {
					const foretold = effect(now, call);
					now = cloudDoes(now, call);
					for (const each of [foretold, effect(foretold, call)]) {
						expect(sorted(each.services)).toEqual(sorted(now.services));
						expect(sorted(each.targets)).toEqual(sorted(now.targets));
						expect(each.labels).toEqual(now.labels);
					}
				}
			}),
		);
	});

	it("keeps listeners and targets that nobody listed, and says which wanted port one of them holds", () => {
		const before: CloudBalancer = {
			id: 1,
			name: "fairlead-a",
			labels: { ...identity, ...ownsLabels(["p80", "s1"]) },
			created: "2026-01-01T00:00:00+00:00",
			protection: { delete: false },
			public_net: {},
			algorithm: { type: "round_robin" },
			services: [service(80, 30000), service(6443, 6443)],
			targets: [server(1), server(9)],
		};
		const { calls, taken } = diff(
			before,
			{
				name: "fairlead-a",
				labels: identity,
				algorithm: "round_robin",
				services: [service(80, 30000), service(6443, 30001)],
				targets: [server(1)],
			},
			new Set(),
		);
		expect(calls).toEqual([]);
		expect(taken).toEqual([service(6443, 30001)]);
	});

	it("adds all targets in one call where the cloud takes batches", () => {
		const empty: CloudBalancer = {
			id: 1,
			name: "fairlead-a",
			labels: { ...identity, ...ownsLabels(["s1", "s2"]) },
			created: "2026-01-01T00:00:00+00:00",
			protection: { delete: false },
			public_net: {},
			algorithm: { type: "round_robin" },
			services: [],
			targets: [],
		};
		const want: WantedBalancer = {
			name: "fairlead-a",
			labels: identity,
			algorithm: "round_robin",
			services: [],
			targets: [server(1), server(2)],
		};
		expect(diff(empty, want, new Set(), true).calls).toEqual([
			{ do: "add_targets", targets: [server(1), server(2)] },
		]);
		expect(diff(empty, want, new Set(), false).calls).toEqual([
			{ do: "add_targets", targets: [server(1)] },
			{ do: "add_targets", targets: [server(2)] },
		]);
	});
});
