import fc from "fast-check";
import type { Frontend } from "../../model/rules/program.ts";
import { addressBytes } from "../address-bytes.ts";
import {
	be32,
	type NetlinkMessage,
	type NetlinkReply,
} from "../netlink-message.ts";
import { forgetStaleFlows } from "./leftovers.ts";

/** A conntrack with one flow that is nobody's, which writes down what it is asked. */
class AskedConntrack {
	readonly listings: Uint8Array[] = [];
	counted = 0;

	request(): NetlinkReply[] {
		this.counted++;
		const body = Buffer.concat([Buffer.alloc(4), be32(1, 1)]);
		return [{ type: 16, flags: 0, sequence: 1, portId: 0, body }];
	}

	dump({ body }: NetlinkMessage): void {
		this.listings.push(body);
	}

	exchange(): never {
		throw new Error("nothing is to be deleted");
	}

	reserve(): number {
		return 1;
	}
}

function frontend(
	endpoints: readonly number[],
	more: Partial<Frontend> = {},
): Frontend {
	return {
		kind: "LoadBalancer",
		family: "IPv4",
		address: "203.0.113.10",
		protocol: "UDP",
		port: 53,
		service: "default/web",
		portName: "",
		endpoints: endpoints.map((last) => ({
			address: `10.244.1.${last}`,
			port: 8080,
			local: true,
		})),
		whenEmpty: "reject",
		masquerade: "always",
		...more,
	};
}

type Changes = Parameters<typeof forgetStaleFlows>[2];

function askedFor(changes: Changes): AskedConntrack {
	const conntrack = new AskedConntrack();
	for (const family of ["IPv4", "IPv6"] as const)
		forgetStaleFlows(conntrack, family, changes);
	return conntrack;
}

const someEndpoints = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), {
	minLength: 1,
});

test("no change of TCP asks conntrack anything", () => {
	fc.assert(
		fc.property(someEndpoints, someEndpoints, (one, other) => {
			const tcp = { protocol: "TCP" } as const;
			const before = frontend(one, tcp);
			const after = frontend(other, tcp);
			for (const change of [{ before, after }, { before }, { after }]) {
				const { counted, listings } = askedFor([change]);
				expect([counted, listings]).toEqual([0, []]);
			}
		}),
	);
});

test("a UDP Service that only gains endpoints asks conntrack nothing", () => {
	fc.assert(
		fc.property(someEndpoints, someEndpoints, (had, more) => {
			const { counted, listings } = askedFor([
				{
					before: frontend(had),
					after: frontend([...new Set([...had, ...more])]),
				},
			]);
			expect([counted, listings]).toEqual([0, []]);
		}),
	);
});

test("a UDP Service that loses an endpoint has the flows to its own address and port listed, in its own family", () => {
	const { listings } = askedFor([
		{ before: frontend([1, 2]), after: frontend([1]) },
	]);
	expect(listings).toHaveLength(1);
	const [asked] = listings.map((each) => Buffer.from(each));
	expect(asked?.[0]).toBe(2);
	expect(asked?.includes(addressBytes("203.0.113.10"))).toBe(true);
	expect(asked?.includes(Buffer.from([0, 53]))).toBe(true);
});

test("of Services at several addresses the flows are listed once for each transport", () => {
	const changed = (more: Partial<Frontend>) => ({
		before: frontend([1, 2], more),
		after: frontend([1], more),
	});
	const { listings } = askedFor([
		changed({ address: "203.0.113.10" }),
		changed({ address: "203.0.113.11" }),
		changed({ address: "203.0.113.11", protocol: "SCTP" }),
		changed({ address: "203.0.113.12", protocol: "TCP" }),
	]);
	expect(listings).toHaveLength(2);
	const holds = (address: string) =>
		listings.map((each) => Buffer.from(each).includes(addressBytes(address)));
	expect(holds("203.0.113.10")).toEqual([false, false]);
	expect(holds("203.0.113.11")).toEqual([false, true]);
});
