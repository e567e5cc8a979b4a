import { types } from "./message.ts";
import { svc, told, zonesWorld } from "../../test/support/dns-zones.ts";

describe("names of addresses", () => {
	const { ask } = zonesWorld();
	const soaOf =
		"in-addr.arpa 5 SOA ns.dns.in-addr.arpa hostmaster.in-addr.arpa 1767225600 7200 1800 86400 5";
	const ptr = (name: string, target: string) => [
		"NOERROR",
		`${name} 5 PTR ${target}`,
	];

	it.each<[string, string, string[]]>([
		[
			"a cluster IP is its Service's",
			"7.0.96.10.in-addr.arpa",
			ptr("7.0.96.10.in-addr.arpa", `web.${svc}`),
		],
		[
			"an endpoint's is under its Service",
			"3.1.244.10.in-addr.arpa",
			ptr("3.1.244.10.in-addr.arpa", `10-244-1-3.peers.${svc}`),
		],
		[
			"by its hostname if it has one",
			"4.1.244.10.in-addr.arpa",
			ptr("4.1.244.10.in-addr.arpa", `db-0.peers.${svc}`),
		],
		[
			"an IPv6 address has its nibbles turned round",
			`8${".0".repeat(27)}.0.0.d.f.ip6.arpa`,
			ptr(`8${".0".repeat(27)}.0.0.d.f.ip6.arpa`, `dual.${svc}`),
		],
		[
			"a balancer's is external",
			"5.113.0.203.in-addr.arpa",
			ptr("5.113.0.203.in-addr.arpa", "front.shop.lb.test"),
		],
		[
			"an endpoint that is not ready has none",
			"5.1.244.10.in-addr.arpa",
			["NXDOMAIN", soaOf],
		],
		["nobody's address has none", "1.1.1.1.in-addr.arpa", ["NXDOMAIN", soaOf]],
		[
			"part of an address exists, empty",
			"96.10.in-addr.arpa",
			["NOERROR", soaOf],
		],
		[
			"what is no address does not exist",
			"256.0.96.10.in-addr.arpa",
			["NXDOMAIN", soaOf],
		],
	])("%s", (_what, name, lines) => {
		expect(told(ask(name, types.PTR))).toEqual(lines);
	});

	it("are upstream's business where the cluster does not know them", () => {
		expect(told(ask("1.1.1.1.in-addr.arpa", types.PTR, true))).toBe("not ours");
		expect(told(ask("7.0.96.10.in-addr.arpa", types.PTR, true))).toContain(
			`7.0.96.10.in-addr.arpa 5 PTR web.${svc}`,
		);
	});
});
