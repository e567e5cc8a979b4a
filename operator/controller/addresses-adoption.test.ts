import fc from "fast-check";
import {
	addressesOf,
	given,
	recordedOn,
} from "../../test/support/recorded-services.ts";
import type { Service } from "../api/core.ts";
import type { AddressPool } from "../api/fairlead.ts";
import { annotations, conditions } from "../api/names.ts";
import { parseIp } from "../model/addresses/ip.ts";
import { formatExternalIPRecord } from "../model/external-ips/record.ts";
import type { Addresses } from "./addresses.ts";

test.each([
	["that status bears out", true],
	["that nothing bears out, of an address that is free", false],
])("a record %s is taken at the start of a term", (_what, borneOut) => {
	const service = recordedOn("web", "10.0.0.2", borneOut);
	const addresses = addressesOf([service]);
	expect(addresses.holdsRecord(service)).toBe(borneOut);
	addresses.restore();
	expect(addresses.heldBy("shop/web")).toEqual(["10.0.0.2"]);
	expect(given(addresses, service)).toEqual(["10.0.0.2"]);
});

test.each([
	["with its status", true],
	["without its status", false],
])(
	"a Service that comes back %s in the middle of a term gets the address recorded on it",
	(_what, borneOut) => {
		const addresses = addressesOf([]);
		expect(given(addresses, recordedOn("web", "10.0.0.2", borneOut))).toEqual([
			"10.0.0.2",
		]);
	},
);

test.each([true, false])(
	"a Service that comes back (with status: %s) does not get an address that another holds by now",
	(borneOut) => {
		const holder = recordedOn("holder", "10.0.0.2", true);
		const addresses = addressesOf([holder]);
		expect(given(addresses, recordedOn("web", "10.0.0.2", borneOut))).toEqual([
			"10.0.0.0",
		]);
		expect(addresses.heldBy("shop/holder")).toEqual(["10.0.0.2"]);
	},
);

describe("a record that nothing bears out gives no more than asking for the address would", () => {
	const pools: Record<string, AddressPool["spec"]> = {
		p: { addresses: ["10.0.0.0/30"] },
		pins: { addresses: ["10.1.0.0/30"], autoAssign: false },
		theirs: {
			addresses: ["10.2.0.0/30"],
			namespaceSelector: { matchLabels: { team: "other" } },
		},
		cloud: { addresses: ["10.3.0.0/30"], classes: ["cloud"] },
		external: { addresses: ["10.4.0.0/30"], uses: ["ExternalIP"] },
	};
	const asking = { [annotations.addresses]: "10.0.0.1" };

	it.each<[string, string, Record<string, string>, string]>([
		["of no pool", "10.9.0.1", {}, "10.0.0.0"],
		["of a pool that assigns none by itself", "10.1.0.1", {}, "10.0.0.0"],
		[
			"of a pool that assigns none by itself, and asked for",
			"10.1.0.1",
			{ [annotations.pool]: "pins" },
			"10.1.0.1",
		],
		[
			"of another pool than asked for",
			"10.0.0.2",
			{ [annotations.pool]: "pins" },
			"10.1.0.0",
		],
		["of a pool for another namespace", "10.2.0.1", {}, "10.0.0.0"],
		["of a pool for another class", "10.3.0.1", {}, "10.0.0.0"],
		["of a pool for external IPs", "10.4.0.1", {}, "10.0.0.0"],
		["beside another that is asked for", "10.0.0.2", asking, "10.0.0.1"],
		["of another family", "fd00::1", {}, "10.0.0.0"],
		["that is none", "house", {}, "10.0.0.0"],
	])("an address %s", (_which, address, noted, expected) => {
		const service = recordedOn("web", address, false, noted);
		const addresses = addressesOf([service], pools);
		addresses.restore();
		expect(given(addresses, service)).toEqual([expected]);
	});

	it("an address that is kept for another Service", () => {
		const service = recordedOn("web", "10.0.0.2", false);
		const addresses = addressesOf([service]);
		const address = parseIp("10.0.0.2");
		if (!address.ok) throw new Error(address.reason);
		addresses.hold(address.value, {
			code: "Reserved",
			message: "is reserved for shop/other",
			for: { namespace: "shop", name: "other" },
		});
		addresses.restore();
		expect(given(addresses, service)).toEqual(["10.0.0.0"]);
	});
});

describe("whoever claims what", () => {
	const claims = fc
		.uniqueArray(
			fc.record({
				number: fc.nat(7),
				age: fc.nat(2),
				address: fc.constantFrom(
					"10.0.0.0",
					"10.0.0.1",
					"10.0.0.3",
					"10.1.0.1",
				),
				says: fc.constantFrom("Vouched", "Forged", "Nothing"),
			}),
			{ selector: ({ number }) => number },
		)
		.map((list) =>
			list.map(({ number, age, address, says }) => {
				const service = recordedOn(`s${number}`, address, says === "Vouched");
				service.metadata.creationTimestamp = `2026-01-0${age + 1}T00:00:00Z`;
				if (says === "Nothing") service.metadata.annotations = {};
				return { service, address, says };
			}),
		);
	const pools: Record<string, AddressPool["spec"]> = {
		p: { addresses: ["10.0.0.0/30"] },
		pins: { addresses: ["10.1.0.0/30"], autoAssign: false },
	};
	const holders = (addresses: Addresses, services: readonly Service[]) =>
		services.map(
			({ metadata: { name } }) =>
				`${name} ${addresses.heldBy(`shop/${name}`).join()}`,
		);
	const older = (a: Service, b: Service) =>
		`${a.metadata.creationTimestamp} ${a.metadata.uid}` <
		`${b.metadata.creationTimestamp} ${b.metadata.uid}`
			? a
			: b;

	it("what status bears out comes first, then the oldest that may have it, in whatever order they are read; nothing has two holders", () => {
		fc.assert(
			fc.property(claims, fc.func(fc.nat()), (made, order) => {
				const services = made.map(({ service }) => service);
				const shuffled = [...services].sort(
					(a, b) => order(a.metadata.name) - order(b.metadata.name),
				);
				const addresses = addressesOf(shuffled, pools);
				addresses.restore();
				const other = addressesOf(services, pools);
				other.restore();
				expect(holders(addresses, services)).toEqual(holders(other, services));
				for (const address of new Set(made.map((each) => each.address))) {
					const claiming = made.filter((each) => each.address === address);
					const vouched = claiming.filter(({ says }) => says === "Vouched");
					const forged = claiming.filter(({ says }) => says === "Forged");
					const rightful =
						vouched.length > 0 ? vouched : address === "10.1.0.1" ? [] : forged;
					const expected = rightful
						.map(({ service }) => service)
						.reduce<Service | undefined>(
							(best, each) => (best ? older(best, each) : each),
							undefined,
						);
					const found = services.filter(({ metadata }) =>
						addresses.heldBy(`shop/${metadata.name}`).includes(address),
					);
					expect(found).toEqual(expected ? [expected] : []);
				}
				for (const service of shuffled) given(addresses, service);
				const held = services.flatMap(({ metadata }) =>
					addresses.heldBy(`shop/${metadata.name}`),
				);
				expect(new Set(held).size).toBe(held.length);
			}),
		);
	});
});

describe("a record of external IPs", () => {
	const pools: Record<string, AddressPool["spec"]> = {
		out: { addresses: ["10.0.0.0/30"], uses: ["ExternalIP"] },
		lan: { addresses: ["10.1.0.0/30"] },
		theirs: {
			addresses: ["10.2.0.0/30"],
			uses: ["ExternalIP"],
			namespaceSelector: { matchLabels: { team: "other" } },
		},
	};
	const recorded = (
		ip: string,
		pool: string,
		said?: `${"True" | "False"}: ${string}`,
	): Service => ({
		metadata: {
			namespace: "shop",
			name: "web",
			uid: "u",
			resourceVersion: "3",
			annotations: {
				[annotations.externalIPs]: "auto",
				[annotations.assignedExternalIPs]: formatExternalIPRecord({
					addresses: [ip],
					pools: [pool],
					number: "1",
				}),
			},
		},
		spec: { ipFamilies: ["IPv4"], ports: [{ port: 80 }] },
		...(said === undefined
			? {}
			: {
					status: {
						conditions: [
							{
								type: conditions.externalIPs,
								status: said.startsWith("True") ? "True" : "False",
								reason: "R",
								message: said.slice(said.indexOf(" ") + 1),
								lastTransitionTime: "2026-01-01T00:00:00Z",
							},
						],
					},
				}),
	});
	const takesBack = (service: Service) => {
		const addresses = addressesOf([service], pools);
		addresses.restore();
		return addresses.external(service).addresses.map(({ ip }) => ip);
	};

	it.each<
		[string, string, `${"True" | "False"}: ${string}` | undefined, string]
	>([
		[
			"that the condition bears out is kept",
			"10.2.0.2",
			"True: 10.2.0.2 (pool theirs)",
			"10.2.0.2",
		],
		[
			"with more said behind it is kept",
			"10.2.0.2",
			"True: 10.2.0.2 (pool theirs); somebody",
			"10.2.0.2",
		],
		[
			"that nothing restricts is kept",
			"10.2.0.2",
			"True: 8.8.8.8, 10.2.0.2 (pool theirs); the kind ExternalIPPolicy is not installed",
			"10.2.0.2",
		],
		[
			"that was assigned is kept beside what is wrong",
			"10.2.0.2",
			"False: assigned: 10.2.0.2 (pool theirs); 8.8.8.8 is in no AddressPool",
			"10.2.0.2",
		],
		[
			"of an address that is free is taken all the same",
			"10.0.0.2",
			undefined,
			"10.0.0.2",
		],
		[
			"of a balancers' address takes nothing",
			"10.1.0.2",
			undefined,
			"10.0.0.0",
		],
		["of others' pool takes nothing", "10.2.0.2", undefined, "10.0.0.0"],
		["of no pool takes nothing", "10.9.0.2", undefined, "10.0.0.0"],
		[
			"of what the user wrote himself, where nothing restricts that, takes nothing",
			"10.2.0.2",
			"True: 10.2.0.2; the kind ExternalIPPolicy is not installed",
			"10.0.0.0",
		],
		[
			"of what the user wrote himself, beside what is wrong, takes nothing",
			"10.2.0.2",
			"False: 8.8.8.8 is in no AddressPool; in order: 10.2.0.2 (pool theirs)",
			"10.0.0.0",
		],
		[
			"of another address than was assigned takes nothing",
			"10.2.0.2",
			"False: assigned: 10.2.0.3 (pool theirs); 8.8.8.8 is in no AddressPool",
			"10.0.0.0",
		],
		[
			"is not borne out by what a user can put into the name of a pool",
			"10.2.0.2",
			'False: pool "x; assigned: 10.2.0.2 (pool theirs), y" does not exist',
			"10.0.0.0",
		],
		[
			"is not borne out by what a user can put into an entry of his own",
			"10.2.0.2",
			'False: "assigned: 10.2.0.2 (pool theirs); " is not an IP address',
			"10.0.0.0",
		],
		[
			"is not borne out by such an entry behind what was assigned",
			"10.2.0.2",
			'False: assigned: 10.0.0.1 (pool out); "assigned: 10.2.0.2 (pool theirs), " is not an IP address',
			"10.0.0.0",
		],
	])("%s", (_what, ip, said, expected) => {
		const pool = ip.startsWith("10.2") ? "theirs" : "out";
		expect(takesBack(recorded(ip, pool, said))).toEqual([expected]);
	});
});
