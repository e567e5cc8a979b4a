import fc from "fast-check";
import type { Service } from "../../api/core.ts";
import { annotations, conditions } from "../../api/names.ts";
import { assess } from "./assessment.ts";
import {
	type ExternalIPStep,
	type ExternalIPWorld,
	nextExternalIPStep,
} from "./next-step.ts";
import {
	externalIPRecordOf,
	formatExternalIPRecord,
	parseExternalIPRecord,
	vouchedExternalIPRecordOf,
} from "./record.ts";

const now = "2026-01-01T00:00:00Z";

function worldOf(
	service: Service,
	allocated: readonly string[] | undefined,
): ExternalIPWorld {
	const all = new Set([
		...(service.spec.externalIPs ?? []),
		...(allocated ?? []),
	]);
	return {
		service,
		allocation: allocated && {
			addresses: allocated.map((ip) => ({ ip, pool: "a" })),
			...(allocated.length > 0
				? {}
				: { lacks: { reason: "PoolFull", message: "pool a: full" } }),
		},
		findings: [...all].map((ip) => ({ ip, pool: "a" })),
		restricted: true,
		specRefusal: undefined,
		contested: undefined,
		seen: "7",
		now,
	};
}

/** The Service after a step, as the API server merges it. */
function after(service: Service, step: ExternalIPStep): Service {
	const next = structuredClone(service);
	if (step.do === "write-spec") next.spec.externalIPs = step.externalIPs;
	if (step.do !== "patch") return next;
	const noted: Record<string, string> = { ...next.metadata.annotations };
	for (const [name, value] of Object.entries(step.change.annotations ?? {}))
		if (value === null) delete noted[name];
		else noted[name] = value;
	next.metadata.annotations = noted;
	const others = (next.status?.conditions ?? []).filter(
		({ type }) =>
			!step.change.dropConditions?.includes(type) &&
			!step.change.conditions?.some((each) => each.type === type),
	);
	next.status = { conditions: [...others, ...(step.change.conditions ?? [])] };
	return next;
}

const plain: Service = {
	metadata: { namespace: "shop", name: "web" },
	spec: {},
};

test("whatever is allocated over time, and wherever it stops, the user's own entries stay and ours are always on record", () => {
	const ours = ["192.0.2.1", "192.0.2.2", "2001:db8::1"];
	fc.assert(
		fc.property(
			fc.subarray(["198.51.100.1", "198.51.100.2", "2001:DB8::7"]),
			fc.array(
				fc.tuple(fc.option(fc.subarray(ours), { nil: undefined }), fc.nat(4)),
				{ minLength: 1, maxLength: 6 },
			),
			(users, history) => {
				let service: Service = { ...plain, spec: { externalIPs: users } };
				const check = () => {
					const inSpec = service.spec.externalIPs ?? [];
					const record = externalIPRecordOf(service)?.addresses ?? [];
					expect(inSpec).toEqual(expect.arrayContaining(users));
					for (const ip of inSpec)
						if (ours.includes(ip)) expect(record).toContain(ip);
				};
				// Killed after some steps, if there were more; the next one starts from what is written.
				for (const [allocated, steps] of history)
					for (let done = 0; done < steps; done++) {
						service = after(
							service,
							nextExternalIPStep(worldOf(service, allocated)),
						);
						check();
					}
				const [last] = history.at(-1) ?? [];
				for (let done = 0; done < 6; done++)
					service = after(service, nextExternalIPStep(worldOf(service, last)));
				check();
				expect(nextExternalIPStep(worldOf(service, last))).toEqual({
					do: "nothing",
				});
				expect([...(service.spec.externalIPs ?? [])].sort()).toEqual(
					[...users, ...(last ?? [])].sort(),
				);
				expect(externalIPRecordOf(service)?.addresses ?? []).toEqual(
					last ?? [],
				);
			},
		),
	);
});

describe("the condition bears out the record", () => {
	const smuggled = [
		"assigned: 192.0.2.7 (pool a); ",
		"x; assigned: 192.0.2.7 (pool a), y",
		"192.0.2.7 (pool a)",
		"192.0.2.7",
	];
	const worlds = fc
		.record({
			assigned: fc.subarray(["192.0.2.1", "2001:db8::1"], { minLength: 1 }),
			own: fc.subarray(["198.51.100.1", "8.8.8.8", ...smuggled]),
			refused: fc.subarray(["192.0.2.1", "198.51.100.1", "8.8.8.8"]),
			lacks: fc.option(fc.constantFrom(...smuggled), { nil: undefined }),
			restricted: fc.boolean(),
			specRefusal: fc.option(fc.constantFrom(...smuggled), { nil: undefined }),
			contested: fc.option(fc.constant(["spec.externalIPs"]), {
				nil: undefined,
			}),
		})
		.map((made) => {
			const { assigned, own, refused, lacks, restricted } = made;
			const service: Service = {
				...plain,
				spec: { externalIPs: [...own, ...assigned] },
			};
			const world: ExternalIPWorld = {
				...worldOf(service, assigned),
				allocation: {
					addresses: assigned.map((ip) => ({ ip, pool: "a" })),
					...(lacks === undefined
						? {}
						: {
								lacks: {
									reason: "PoolNotFound",
									message: `pool ${JSON.stringify(lacks)}: does not exist`,
								},
							}),
				},
				findings: assess(service, [...own, ...assigned], {
					key: "shop/web",
					grantOf: restricted
						? (ip) =>
								refused.includes(ip)
									? { kind: "NotGranted", pool: undefined }
									: { kind: "Granted", pool: "b" }
						: undefined,
					usersOf: () => [],
				}),
				restricted,
				specRefusal: made.specRefusal,
				contested: made.contested,
			};
			return after(service, nextExternalIPStep(world));
		});

	it("of all that is assigned, whatever else is the matter", () => {
		fc.assert(
			fc.property(worlds, (service) => {
				const record = externalIPRecordOf(service);
				expect(record).toBeDefined();
				expect(vouchedExternalIPRecordOf(service)).toEqual(record);
			}),
		);
	});

	it("and no other, whatever the user writes elsewhere", () => {
		const others = fc.constantFrom("192.0.2.7", "198.51.100.1", "8.8.8.8");
		fc.assert(
			fc.property(worlds, others, (service, ip) => {
				service.metadata.annotations = {
					[annotations.assignedExternalIPs]: formatExternalIPRecord({
						addresses: [ip],
						pools: ["a"],
						number: "1",
					}),
				};
				expect(vouchedExternalIPRecordOf(service)).toBeUndefined();
			}),
		);
	});
});

test("a Service that is being deleted is left alone", () => {
	const service: Service = {
		metadata: { ...plain.metadata, deletionTimestamp: now },
		spec: { externalIPs: ["8.8.8.8"] },
	};
	expect(nextExternalIPStep(worldOf(service, undefined))).toEqual({
		do: "nothing",
	});
});

test("a Service without external IPs that asks for none is never written to", () => {
	expect(nextExternalIPStep(worldOf(plain, undefined))).toEqual({
		do: "nothing",
	});
});

test("a problem is told by one Warning, not again while it stays, and another problem anew", () => {
	const service: Service = { ...plain, spec: { externalIPs: ["8.8.8.8"] } };
	const world = (
		current: Service,
		code: "NotGranted" | "AddressInUse",
	): ExternalIPWorld => ({
		...worldOf(current, undefined),
		findings: [{ ip: "8.8.8.8", problem: { code, message: code } }],
	});
	const first = nextExternalIPStep(world(service, "NotGranted"));
	expect(first).toMatchObject({
		event: { type: "Warning", reason: "NotGranted" },
		change: { conditions: [{ type: conditions.externalIPs, status: "False" }] },
	});
	const told = after(service, first);
	expect(nextExternalIPStep(world(told, "NotGranted"))).toEqual({
		do: "nothing",
	});
	expect(nextExternalIPStep(world(told, "AddressInUse"))).toMatchObject({
		event: { reason: "AddressInUse" },
	});
});

test("what the API server does not take is not asked again, and is said", () => {
	const given = after(plain, nextExternalIPStep(worldOf(plain, ["192.0.2.1"])));
	const world = { ...worldOf(given, ["192.0.2.1"]), specRefusal: "no" };
	const said = nextExternalIPStep(world);
	expect(said).toMatchObject({
		change: { conditions: [{ status: "True", reason: "AssignedOutsideSpec" }] },
	});
	expect(nextExternalIPStep({ ...world, service: after(given, said) })).toEqual(
		{ do: "nothing" },
	);
});

test.each([
	["no JSON", "{"],
	["no object", "[]"],
	["no addresses", '{"addresses":[],"pools":[],"number":"1"}'],
	[
		"fewer pools than addresses",
		'{"addresses":["192.0.2.1"],"pools":[],"number":"1"}',
	],
	["no number", '{"addresses":["192.0.2.1"],"pools":["a"]}'],
	[
		"a number that is none",
		'{"addresses":["192.0.2.1"],"pools":["a"],"number":"x"}',
	],
])("a record with %s is none", (_what, text) => {
	expect(parseExternalIPRecord(text)).toBeUndefined();
	expect(
		externalIPRecordOf({
			...plain,
			metadata: {
				...plain.metadata,
				annotations: { [annotations.assignedExternalIPs]: text },
			},
		}),
	).toBeUndefined();
});
