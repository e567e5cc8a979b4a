import { clusterZone } from "./cluster-zone.ts";
import { types } from "./message.ts";
import { ServiceIndex } from "./service-index.ts";
import { storesOf } from "../../test/support/dns-world.ts";
import {
	soa,
	svc,
	told,
	zone,
	zonesWorld,
} from "../../test/support/dns-zones.ts";

describe("the cluster's zone", () => {
	const { ask } = zonesWorld();

	it.each<[string, keyof typeof types, string, string[]]>([
		[
			"a Service has its cluster IP",
			"A",
			`web.${svc}`,
			["NOERROR", `web.${svc} 5 A 10.96.0.7`],
		],
		[
			"the case of the question is echoed",
			"A",
			`WEB.Default.svc.${zone}`,
			["NOERROR", `WEB.Default.svc.${zone} 5 A 10.96.0.7`],
		],
		[
			"a Service of one family has no record of the other",
			"AAAA",
			`web.${svc}`,
			["NOERROR", soa],
		],
		[
			"a Service of both families has both",
			"AAAA",
			`dual.${svc}`,
			["NOERROR", `dual.${svc} 5 AAAA fd00::8`],
		],
		[
			"a named port has a SRV record, with the address beside it",
			"SRV",
			`_http._tcp.web.${svc}`,
			[
				"NOERROR",
				`_http._tcp.web.${svc} 5 SRV 0 100 80 web.${svc}`,
				`web.${svc} 5 A 10.96.0.7`,
			],
		],
		[
			"a named UDP port too",
			"SRV",
			`_metrics._udp.web.${svc}`,
			[
				"NOERROR",
				`_metrics._udp.web.${svc} 5 SRV 0 100 9 web.${svc}`,
				`web.${svc} 5 A 10.96.0.7`,
			],
		],
		[
			"a port of another protocol is another name",
			"SRV",
			`_http._udp.web.${svc}`,
			["NXDOMAIN", soa],
		],
		[
			"a port's name has no address",
			"A",
			`_http._tcp.web.${svc}`,
			["NOERROR", soa],
		],
		[
			"the name above a port's exists, empty",
			"A",
			`_tcp.web.${svc}`,
			["NOERROR", soa],
		],
		["one without ports does not", "A", `_sctp.web.${svc}`, ["NXDOMAIN", soa]],
		[
			"a Service's own name has a SRV record for every port",
			"SRV",
			`web.${svc}`,
			[
				"NOERROR",
				`web.${svc} 5 SRV 0 33 80 web.${svc}`,
				`web.${svc} 5 SRV 0 33 9 web.${svc}`,
				`web.${svc} 5 SRV 0 33 81 web.${svc}`,
				`web.${svc} 5 A 10.96.0.7`,
			],
		],
		[
			"an endpoint of a Service has a name by its address",
			"A",
			`10-244-2-2.web.${svc}`,
			["NOERROR", `10-244-2-2.web.${svc} 5 A 10.244.2.2`],
		],
		[
			"a headless Service has the addresses of its ready endpoints",
			"A",
			`peers.${svc}`,
			["NOERROR", `peers.${svc} 5 A 10.244.1.3`, `peers.${svc} 5 A 10.244.1.4`],
		],
		[
			"of either family",
			"AAAA",
			`peers.${svc}`,
			["NOERROR", `peers.${svc} 5 AAAA fd00:244::`],
		],
		[
			"an endpoint's hostname is its name",
			"A",
			`db-0.peers.${svc}`,
			["NOERROR", `db-0.peers.${svc} 5 A 10.244.1.4`],
		],
		[
			"and then its address is none",
			"A",
			`10-244-1-4.peers.${svc}`,
			["NXDOMAIN", soa],
		],
		[
			"an IPv6 address with dashes ends in no dash",
			"AAAA",
			`fd00-244--0.peers.${svc}`,
			["NOERROR", `fd00-244--0.peers.${svc} 5 AAAA fd00:244::`],
		],
		[
			"SRV records of a headless Service point to its endpoints",
			"SRV",
			`_http._tcp.peers.${svc}`,
			[
				"NOERROR",
				`_http._tcp.peers.${svc} 5 SRV 0 33 8080 10-244-1-3.peers.${svc}`,
				`_http._tcp.peers.${svc} 5 SRV 0 33 8080 db-0.peers.${svc}`,
				`_http._tcp.peers.${svc} 5 SRV 0 33 80 fd00-244--0.peers.${svc}`,
				`10-244-1-3.peers.${svc} 5 A 10.244.1.3`,
				`db-0.peers.${svc} 5 A 10.244.1.4`,
				`fd00-244--0.peers.${svc} 5 AAAA fd00:244::`,
			],
		],
		[
			"a headless Service without ready endpoints does not exist",
			"A",
			`empty.${svc}`,
			["NXDOMAIN", soa],
		],
		[
			"unless it tells of endpoints that are not ready",
			"A",
			`early.${svc}`,
			["NOERROR", `early.${svc} 5 A 10.244.1.7`],
		],
		[
			"without ports it has no SRV record",
			"SRV",
			`early.${svc}`,
			["NOERROR", soa],
		],
		[
			"an external name outside is an alias",
			"A",
			`out.${svc}`,
			["NOERROR", `out.${svc} 5 CNAME A.example`, "then A.example"],
		],
		[
			"an alias itself can be asked for",
			"CNAME",
			`out.${svc}`,
			["NOERROR", `out.${svc} 5 CNAME A.example`],
		],
		[
			"an external name inside is followed",
			"A",
			`in.${svc}`,
			["NOERROR", `in.${svc} 5 CNAME web.${svc}`, `web.${svc} 5 A 10.96.0.7`],
		],
		["for SRV records too", "SRV", `_http._tcp.in.${svc}`, ["NXDOMAIN", soa]],
		[
			"an external name inside that is gone is an alias for nothing",
			"A",
			`lost.${svc}`,
			["NXDOMAIN", `lost.${svc} 5 CNAME gone.${svc}`, soa],
		],
		[
			"a ring of external names ends",
			"A",
			`ring.${svc}`,
			[
				"NOERROR",
				`ring.${svc} 5 CNAME back.${svc}`,
				`back.${svc} 5 CNAME ring.${svc}`,
			],
		],
		["an address is no external name", "A", `number.${svc}`, ["NXDOMAIN", soa]],
		[
			"another type of an existing name is no data",
			"MX",
			`web.${svc}`,
			["NOERROR", soa],
		],
		[
			"ANY is answered with records of one type",
			"ANY",
			`dual.${svc}`,
			["NOERROR", `dual.${svc} 5 A 10.96.0.8`],
		],
		["a star is no wildcard", "A", `*.${svc}`, ["NXDOMAIN", soa]],
		["nor for endpoints", "A", `*.peers.${svc}`, ["NXDOMAIN", soa]],
		[
			"a Service nobody made does not exist",
			"A",
			`none.${svc}`,
			["NXDOMAIN", soa],
		],
		["a namespace exists, empty", "A", svc, ["NOERROR", soa]],
		["one nobody made does not", "A", `nowhere.svc.${zone}`, ["NXDOMAIN", soa]],
		["svc exists, empty", "A", `svc.${zone}`, ["NOERROR", soa]],
		["pod exists, empty", "A", `pod.${zone}`, ["NOERROR", soa]],
		["a namespace's pods exist", "A", `shop.pod.${zone}`, ["NOERROR", soa]],
		[
			"a pod is the address it spells",
			"A",
			`10-244-1-2.shop.pod.${zone}`,
			["NOERROR", `10-244-1-2.shop.pod.${zone} 5 A 10.244.1.2`],
		],
		[
			"of IPv6 as well",
			"AAAA",
			`fd00-244--2.shop.pod.${zone}`,
			["NOERROR", `fd00-244--2.shop.pod.${zone} 5 AAAA fd00:244::2`],
		],
		[
			"a pod of the other family has no data",
			"AAAA",
			`10-244-1-2.shop.pod.${zone}`,
			["NOERROR", soa],
		],
		[
			"what spells no address is no pod",
			"A",
			`web-1.shop.pod.${zone}`,
			["NXDOMAIN", soa],
		],
		[
			"a pod has no names below",
			"A",
			`x.10-1-1-1.shop.pod.${zone}`,
			["NXDOMAIN", soa],
		],
		[
			"nor has a namespace nobody made pods",
			"A",
			`10-244-1-2.nowhere.pod.${zone}`,
			["NXDOMAIN", soa],
		],
		[
			"the version of the schema",
			"TXT",
			`dns-version.${zone}`,
			["NOERROR", `dns-version.${zone} 28800 TXT "1.1.0"`],
		],
		["the apex has a SOA record", "SOA", zone, ["NOERROR", soa]],
		["no address", "A", zone, ["NOERROR", soa]],
		[
			"and a name server",
			"NS",
			zone,
			[
				"NOERROR",
				`${zone} 5 NS ns.dns.${zone}`,
				`ns.dns.${zone} 5 A 10.96.0.10`,
			],
		],
		[
			"which has an address",
			"A",
			`ns.dns.${zone}`,
			["NOERROR", `ns.dns.${zone} 5 A 10.96.0.10`],
		],
		["anything else does not exist", "A", `web.${zone}`, ["NXDOMAIN", soa]],
		["nor what is too deep", "A", `a.b.c.web.${svc}`, ["NXDOMAIN", soa]],
	])("%s", (_what, type, name, lines) => {
		expect(told(ask(name, types[type]))).toEqual(lines);
	});

	it("has no pods where they are turned off", () => {
		const stores = storesOf();
		const off = clusterZone(new ServiceIndex(stores, stores.clock), {
			name: zone,
			ttl: 5,
			pods: "disabled",
			nameServer: [],
		});
		expect(off.find(["10-244-1-2", "shop", "pod"])).toBeUndefined();
	});

	it("leaves names of others to others", () => {
		expect(told(ask("example.com", types.A))).toBe("not ours");
		expect(told(ask("mycluster.local", types.A))).toBe("not ours");
	});

	it("shuffles the addresses of a headless Service by the randomness it is given", () => {
		const turned = zonesWorld(() => 0);
		expect(told(turned.ask(`peers.${svc}`, types.A))).toEqual([
			"NOERROR",
			`peers.${svc} 5 A 10.244.1.4`,
			`peers.${svc} 5 A 10.244.1.3`,
		]);
	});
});
