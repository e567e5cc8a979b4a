import { types } from "./message.ts";
import { told, zonesWorld } from "../../test/support/dns-zones.ts";

describe("the external zone", () => {
	const { ask } = zonesWorld();
	const soaOf =
		"lb.test 5 SOA ns.dns.lb.test hostmaster.lb.test 1767225600 7200 1800 86400 5";

	it.each<[string, keyof typeof types, string, string[]]>([
		[
			"a balancer has its ingress address",
			"A",
			"front.shop.lb.test",
			["NOERROR", "front.shop.lb.test 5 A 203.0.113.5"],
		],
		[
			"of either family",
			"AAAA",
			"front.shop.lb.test",
			["NOERROR", "front.shop.lb.test 5 AAAA 2001:db8::5"],
		],
		[
			"its ports have SRV records",
			"SRV",
			"_http._tcp.front.shop.lb.test",
			[
				"NOERROR",
				"_http._tcp.front.shop.lb.test 5 SRV 0 100 80 front.shop.lb.test",
				"front.shop.lb.test 5 A 203.0.113.5",
				"front.shop.lb.test 5 AAAA 2001:db8::5",
			],
		],
		[
			"an ingress hostname is an alias",
			"A",
			"named.shop.lb.test",
			["NOERROR", "named.shop.lb.test 5 CNAME lb.example", "then lb.example"],
		],
		[
			"one that waits does not exist",
			"A",
			"waiting.shop.lb.test",
			["NXDOMAIN", soaOf],
		],
		[
			"a Service of another type neither",
			"A",
			"web.default.lb.test",
			["NXDOMAIN", soaOf],
		],
		["a namespace exists, empty", "A", "shop.lb.test", ["NOERROR", soaOf]],
		["the apex too", "A", "lb.test", ["NOERROR", soaOf]],
	])("%s", (_what, type, name, lines) => {
		expect(told(ask(name, types[type]))).toEqual(lines);
	});
});
