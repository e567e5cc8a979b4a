import fc from "fast-check";
import type { AddressPool } from "../../api/fairlead.ts";
import {
	NaiveAllocator,
	type NaiveHold,
} from "../../../test/support/naive-allocator.ts";
import { ip } from "../../../test/support/address-requests.ts";
import type { Snapshot } from "./allocation.ts";
import { Allocator } from "./allocator.ts";
import { compilePool } from "./pool.ts";
import type { AddressRequest } from "./request.ts";
import { isSharedAlike, sharingGroup } from "./sharing.ts";

const address4 = fc.nat(4).map((last) => `192.0.2.${last}`);
const address6 = fc
	.nat(5)
	.map((last) => (last ? `2001:db8::${last}` : "2001:db8::"));
const address = fc.oneof(address4, address6);

const pools = fc
	.uniqueArray(
		fc.record({
			name: fc.constantFrom("p", "q", "r"),
			first: fc.nat(3),
			more: fc.nat(1),
			six: fc.boolean(),
			four: fc.boolean(),
			priority: fc.constantFrom(1, 100),
			autoAssign: fc.constantFrom(true, true, false),
			team: fc.constantFrom(undefined, undefined, "a"),
		}),
		{ selector: ({ name }) => name, maxLength: 3 },
	)
	.map((list) =>
		list.map(
			({ name, first, more, four, six, team, ...spec }): AddressPool => ({
				metadata: { name },
				spec: {
					...spec,
					addresses: [
						...(four ? [`192.0.2.${first}-192.0.2.${first + more}`] : []),
						...(six ? [`2001:db8::${first}-2001:db8::${first + more}`] : []),
					],
					...(team ? { namespaceSelector: { matchLabels: { team } } } : {}),
				},
			}),
		),
	);

const families = fc.constantFrom<AddressRequest["families"][]>(
	["IPv4"],
	["IPv6"],
	["IPv4", "IPv6"],
	["IPv6", "IPv4"],
);

const request = fc
	.record({
		number: fc.nat(6),
		families,
		policy: fc.constantFrom(
			"RequireDualStack" as const,
			"PreferDualStack" as const,
		),
		asked: fc.oneof(
			{ weight: 3, arbitrary: fc.constant(undefined) },
			{ weight: 1, arbitrary: address },
		),
		requestedPool: fc.constantFrom(undefined, undefined, undefined, "p", "q"),
		sharingKey: fc.constantFrom(undefined, "k", "l"),
		ports: fc.subarray(["TCP/80", "TCP/443", "UDP/80"], { minLength: 1 }),
		externalTrafficPolicy: fc.constantFrom(
			"Cluster" as const,
			"Cluster" as const,
			"Local" as const,
		),
		app: fc.constantFrom(undefined, "web"),
	})
	.map(
		({
			number,
			asked,
			requestedPool,
			sharingKey,
			app,
			...rest
		}): AddressRequest => ({
			...rest,
			uid: `u${number}`,
			namespace: number % 2 ? "a" : "b",
			name: `s${number}`,
			namespaceLabels: { team: number % 2 ? "a" : "b" },
			serviceLabels: {},
			// Age is neither the order of UIDs nor the order of arrival, and some are of one age.
			createdAt: `2026-01-0${1 + ((number * 2) % 5)}T00:00:00Z`,
			className: "lan",
			use: "LoadBalancer",
			policy: rest.families.length === 1 ? "SingleStack" : rest.policy,
			requestedAddresses:
				asked && rest.families.includes(ip(asked).family) ? [ip(asked)] : [],
			...(requestedPool ? { requestedPool } : {}),
			...(sharingKey ? { sharingKey } : {}),
			selector: app ? { app } : {},
		}),
	);

const hold = fc
	.record({
		ip: address,
		code: fc.constantFrom("Draining", "Reserved"),
		number: fc.nat(6),
	})
	.map(
		({ ip: held, code, number }): NaiveHold => ({
			ip: held,
			code,
			...(code === "Reserved"
				? { for: { namespace: number % 2 ? "a" : "b", name: `s${number}` } }
				: {}),
		}),
	);

type Step =
	| { do: "allocate"; request: AddressRequest }
	| { do: "release"; uid: string }
	| { do: "pools"; pools: AddressPool[] }
	| { do: "hold"; hold: NaiveHold }
	| { do: "unhold"; hold: NaiveHold };

const step: fc.Arbitrary<Step> = fc.oneof(
	{
		weight: 8,
		arbitrary: request.map((each) => ({
			do: "allocate" as const,
			request: each,
		})),
	},
	{
		weight: 4,
		arbitrary: fc.nat(6).map((n) => ({ do: "release" as const, uid: `u${n}` })),
	},
	{
		weight: 1,
		arbitrary: pools.map((each) => ({ do: "pools" as const, pools: each })),
	},
	{
		weight: 1,
		arbitrary: hold.map((each) => ({ do: "hold" as const, hold: each })),
	},
	{
		weight: 1,
		arbitrary: hold.map((each) => ({ do: "unhold" as const, hold: each })),
	},
);
// Long enough that pools run full and Services wait: left alone, fast-check makes most arrays short.
const history = fc.array(step, { maxLength: 40, size: "max" });

function perform(allocator: Allocator, each: Step): string[] {
	switch (each.do) {
		case "allocate":
			return allocator.allocate(each.request).wake;
		case "release":
			return allocator.release(each.uid).wake;
		case "pools":
			return allocator.setPools(each.pools.map(compilePool)).wake;
		case "hold":
			return allocator.hold(ip(each.hold.ip), {
				message: "is held",
				...each.hold,
			}).wake;
		case "unhold":
			return allocator.unhold(ip(each.hold.ip), each.hold.code).wake;
	}
}

function performNaively(allocator: NaiveAllocator, each: Step): string[] {
	switch (each.do) {
		case "allocate":
			return allocator.allocate(each.request);
		case "release":
			return allocator.release(each.uid);
		case "pools":
			return allocator.setPools(each.pools);
		case "hold":
			return allocator.hold(each.hold);
		case "unhold":
			return allocator.unhold(each.hold.ip, each.hold.code);
	}
}

function heldBy({ holders }: Snapshot): Record<string, string[]> {
	return Object.fromEntries(
		holders.map(({ uid, addresses }) => [
			uid,
			addresses.map((each) => each.ip),
		]),
	);
}

test("whatever happens, everybody holds, waits and wakes as in an allocator that tries everything", () => {
	fc.assert(
		fc.property(pools, history, (start, steps) => {
			const allocator = new Allocator(start.map(compilePool));
			const naive = new NaiveAllocator();
			naive.setPools(start);
			for (const each of steps) {
				const woken = perform(allocator, each);
				// The Service a step is about is told by the answer, not woken.
				const about = each.do === "allocate" ? each.request.uid : "";
				expect(woken.filter((uid) => uid !== about).sort()).toEqual(
					performNaively(naive, each)
						.filter((uid) => uid !== about)
						.sort(),
				);
				const snapshot = allocator.snapshot();
				expect(heldBy(snapshot)).toEqual(naive.held);
				expect(snapshot.waiting.map(({ uid }) => uid)).toEqual(naive.waiting);
			}
		}),
		{ numRuns: 150 },
	);
});

test("no address is held twice but by Services that may share it, and the counts are what is held", () => {
	fc.assert(
		fc.property(pools, history, (start, steps) => {
			const allocator = new Allocator(start.map(compilePool));
			const requests = new Map<string, AddressRequest>();
			for (const each of steps) {
				perform(allocator, each);
				if (each.do === "allocate")
					requests.set(each.request.uid, each.request);
			}
			const { holders, pools: counts } = allocator.snapshot();
			const holdersOf = new Map<string, AddressRequest[]>();
			for (const { uid, addresses } of holders)
				for (const each of addresses)
					holdersOf.set(each.ip, [
						...(holdersOf.get(each.ip) ?? []),
						requests.get(uid) as AddressRequest,
					]);
			for (const sharers of holdersOf.values()) {
				const ports = sharers.flatMap((each) => each.ports);
				if (sharers.length === 1) continue;
				expect(new Set(ports).size).toBe(ports.length);
				expect(new Set(sharers.map(sharingGroup)).size).toBe(1);
				expect(sharers.every((each) => each.sharingKey)).toBe(true);
			}
			const owned = holders
				.flatMap(({ addresses, notices }) =>
					addresses.filter(
						({ ip: own }) =>
							!notices.some(
								({ ip: about, code }) =>
									about === own && ["PoolGone", "OutsidePool"].includes(code),
							),
					),
				)
				.map((each) => each.ip);
			const assigned = counts.reduce(
				(sum, { ipv4, ipv6 }) =>
					sum + Number(ipv4.assigned) + Number(ipv6.assigned),
				0,
			);
			expect(assigned).toBe(new Set(owned).size);
			for (const { ipv4, ipv6 } of counts)
				for (const count of [ipv4, ipv6])
					expect(BigInt(count.available) >= 0n).toBe(true);
		}),
	);
});

test("the same history gives the same state, byte for byte", () => {
	fc.assert(
		fc.property(pools, history, (start, steps) => {
			const [first, second] = [0, 1].map(() => {
				const allocator = new Allocator(start.map(compilePool));
				const woken = steps.map((each) => perform(allocator, each));
				return JSON.stringify([woken, allocator.snapshot()]);
			});
			expect(second).toBe(first);
		}),
	);
});

test("asking again for the same changes nothing and wakes nobody", () => {
	fc.assert(
		fc.property(pools, history, (start, steps) => {
			const allocator = new Allocator(start.map(compilePool));
			const last = new Map<string, AddressRequest>();
			for (const each of steps) {
				perform(allocator, each);
				if (each.do === "allocate") last.set(each.request.uid, each.request);
				if (each.do === "release") last.delete(each.uid);
			}
			const before = JSON.stringify(allocator.snapshot().holders);
			for (const each of last.values())
				expect(allocator.allocate(structuredClone(each))).toMatchObject({
					freed: [],
					wake: [],
				});
			expect(JSON.stringify(allocator.snapshot().holders)).toBe(before);
		}),
	);
});

const claims = fc
	.array(fc.tuple(request, address), { maxLength: 12 })
	.map((list) => [
		...new Map(
			list.map(([each, ipText]) => [
				each.uid,
				{ request: each, addresses: [{ ip: ipText, pool: "p" }] },
			]),
		).values(),
	]);

test("in whatever order recorded holders are read, each ends with the same addresses", () => {
	const orders = claims.chain((list) =>
		fc.tuple(
			fc.constant(list),
			fc.shuffledSubarray(list, { minLength: list.length }),
		),
	);
	fc.assert(
		fc.property(pools, orders, (start, [list, shuffled]) => {
			const [first, second] = [list, shuffled].map((order) => {
				const allocator = new Allocator(start.map(compilePool));
				const adopted = allocator.adopt(order);
				return JSON.stringify([adopted, allocator.snapshot()]);
			});
			expect(second).toBe(first);
		}),
	);
});

test("a restart that adopts what everybody held changes nothing for anybody", () => {
	fc.assert(
		fc.property(
			pools,
			history,
			fc.infiniteStream(fc.nat()),
			(start, steps, random) => {
				const allocator = new Allocator(start.map(compilePool));
				const last = new Map<string, AddressRequest>();
				let current = start;
				for (const each of steps) {
					if (each.do === "hold" || each.do === "unhold") continue;
					perform(allocator, each);
					if (each.do === "allocate") last.set(each.request.uid, each.request);
					if (each.do === "release") last.delete(each.uid);
					if (each.do === "pools") current = each.pools;
				}
				const again = new Allocator(current.map(compilePool));
				const holders = allocator
					.snapshot()
					.holders.map(({ uid, addresses }) => ({
						request: last.get(uid) as AddressRequest,
						addresses,
					}));
				again.adopt(
					holders.sort(() => ((random.next().value ?? 0) % 2 ? 1 : -1)),
				);
				expect(heldBy(again.snapshot())).toEqual(heldBy(allocator.snapshot()));
			},
		),
	);
});

test("what is shared alike is shared by the same group on the same ports", () => {
	fc.assert(
		fc.property(request, request, (a, b) => {
			const described = (each: AddressRequest) =>
				JSON.stringify([each.ports, sharingGroup(each)]);
			expect(isSharedAlike(a, b)).toBe(described(a) === described(b));
		}),
	);
});
