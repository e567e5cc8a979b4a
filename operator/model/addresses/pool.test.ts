import fc from "fast-check";
import type { AddressPool } from "../../api/fairlead.ts";
import { formatRange } from "./cidr.ts";
import { parseIp } from "./ip.ts";
import { arrangePools, compilePool, isAvoided, poolCapacity } from "./pool.ts";

const pool = (
	name: string,
	addresses: string[],
	spec: Partial<AddressPool["spec"]> = {},
) => compilePool({ metadata: { name }, spec: { addresses, ...spec } });

const ip = (text: string) => {
	const address = parseIp(text);
	if (!address.ok) throw new Error(address.reason);
	return address.value;
};

test("entries that touch or overlap become one run per family", () => {
	const { intervals, problems } = pool("a", [
		"10.0.1.0/24",
		"10.0.0.0/24",
		"10.0.1.128-10.0.2.3",
		"2001:db8::/64",
	]);
	expect(problems).toEqual([]);
	expect(
		(["IPv4", "IPv6"] as const).map((family) =>
			intervals[family].map((each) => formatRange({ family, ...each })),
		),
	).toEqual([
		["10.0.0.0-10.0.2.3"],
		["2001:db8::-2001:db8::ffff:ffff:ffff:ffff"],
	]);
});

test("what a spec says nothing about has the documented default", () => {
	expect(pool("a", ["10.0.0.0/24"])).toMatchObject({
		priority: 100,
		autoAssign: true,
		avoidFirstAndLast: false,
		uses: new Set(["LoadBalancer"]),
		classes: new Set(),
		retentionMs: 0,
	});
});

test("what cannot be read is named by its field, and the rest of the pool works", () => {
	const broken = pool("a", ["house", "10.0.0.0/30", "10.0.0.9-10.0.0.1"], {
		retention: "soon",
		serviceSelector: { matchExpressions: [{ key: "x", operator: "In" }] },
	});
	expect(broken.problems.map(({ code, field }) => `${code} ${field}`)).toEqual([
		"InvalidEntry spec.addresses[0]",
		"InvalidEntry spec.addresses[2]",
		"InvalidSelector spec.serviceSelector",
		"InvalidRetention spec.retention",
	]);
	expect(poolCapacity(broken, "IPv4")).toBe(4n);
});

test.each([
	["10.0.0.0/24", false, 256n],
	["10.0.0.0/24", true, 254n],
	["10.0.0.0/16", true, 65_024n],
	["10.0.0.16/28", true, 16n],
	["10.0.0.0/28", true, 15n],
	["10.0.0.240/28", true, 15n],
	["10.0.0.255-10.0.1.0", true, 0n],
	["10.0.0.255-10.0.1.1", true, 1n],
])(
	"%s with avoidFirstAndLast %s has %d addresses",
	(entry, avoidFirstAndLast, capacity) => {
		expect(
			poolCapacity(pool("a", [entry], { avoidFirstAndLast }), "IPv4"),
		).toBe(capacity);
	},
);

test("a /64 beside a /24 is counted to the last address", () => {
	const both = pool("a", ["10.0.0.0/24", "2001:db8::/64"], {
		avoidFirstAndLast: true,
	});
	expect(poolCapacity(both, "IPv4")).toBe(254n);
	expect(poolCapacity(both, "IPv6")).toBe(18_446_744_073_709_551_616n);
});

test("capacity is the number of addresses that are not avoided", () => {
	fc.assert(
		fc.property(fc.nat(1000), fc.nat(1000), (start, more) => {
			const at = (value: number) => `10.0.${value >> 8}.${value & 255}`;
			const range = pool("a", [`${at(start)}-${at(start + more)}`], {
				avoidFirstAndLast: true,
			});
			let count = 0n;
			for (let value = start; value <= start + more; value++)
				if (!isAvoided(range, ip(at(value)))) count++;
			expect(poolCapacity(range, "IPv4")).toBe(count);
		}),
	);
});

test("an address in several pools belongs to the first by priority and name, and the others say so", () => {
	const set = arrangePools([
		pool("c", ["10.0.0.0/24"]),
		pool("b", ["10.0.0.128/25", "10.1.0.0/30"]),
		pool("z", ["10.0.0.192/26"], { priority: 1 }),
	]);
	expect(set.pools.map(({ name }) => name)).toEqual(["z", "b", "c"]);
	expect(
		["10.0.0.1", "10.0.0.130", "10.0.0.200", "10.1.0.1", "10.9.0.0"].map(
			(text) => set.ownerOf(ip(text))?.name,
		),
	).toEqual(["c", "b", "z", "b", undefined]);
	expect(
		set.pools.map((each) => each.problems.map(({ message }) => message)),
	).toEqual([
		[],
		["10.0.0.192-10.0.0.255 is also in pool z, which comes first and has it"],
		[
			"10.0.0.128-10.0.0.191 is also in pool b, which comes first and has it",
			"10.0.0.192-10.0.0.255 is also in pool z, which comes first and has it",
		],
	]);
	expect(set.pools.map((each) => poolCapacity(each, "IPv4"))).toEqual([
		64n,
		68n,
		128n,
	]);
});

test("whatever pools there are, each address has the owner that comes first of those that name it", () => {
	const entry = fc
		.tuple(fc.nat(20), fc.nat(8))
		.map(([start, more]) => `10.0.0.${start}-10.0.0.${start + more}`);
	const pools = fc.array(
		fc.tuple(fc.array(entry, { minLength: 1, maxLength: 3 }), fc.nat(1)),
		{ maxLength: 5 },
	);
	fc.assert(
		fc.property(pools, (specs) => {
			const compiled = specs.map(([entries, priority], index) =>
				pool(`p${index}`, entries, { priority }),
			);
			const set = arrangePools(compiled);
			for (let last = 0; last < 30; last++) {
				const address = ip(`10.0.0.${last}`);
				const first = compiled
					.filter(({ intervals }) =>
						intervals.IPv4.some(
							({ start, end }) =>
								start <= address.value && address.value <= end,
						),
					)
					.sort(
						(a, b) => a.priority - b.priority || a.name.localeCompare(b.name),
					)[0];
				expect(set.ownerOf(address)?.name).toBe(first?.name);
			}
		}),
	);
});
