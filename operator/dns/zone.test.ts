import { recordAddress } from "./addresses.ts";
import { answerFrom } from "./answer.ts";
import { clusterZone } from "./cluster-zone.ts";
import { externalZone } from "./external-zone.ts";
import { rcodes, types } from "./message.ts";
import { reverseZone } from "./reverse-zone.ts";
import { ServiceIndex } from "./service-index.ts";
import {
	namespace,
	recordText,
	service,
	slice,
	storesOf,
} from "../../test/support/dns-world.ts";

const http = { name: "http", port: 80 };
const services = [
	service("default/web", {
		clusterIP: "10.96.0.7",
		clusterIPs: ["10.96.0.7"],
		ports: [http, { name: "metrics", protocol: "UDP", port: 9 }, { port: 81 }],
	}),
	service("default/dual", {
		clusterIP: "10.96.0.8",
		clusterIPs: ["10.96.0.8", "fd00::8"],
		ports: [http],
	}),
	service("default/peers", { clusterIP: "None", ports: [http] }),
	service("default/empty", { clusterIP: "None", ports: [http] }),
	service("default/early", {
		clusterIP: "None",
		publishNotReadyAddresses: true,
	}),
	service("default/out", { type: "ExternalName", externalName: "A.example." }),
	service("default/in", {
		type: "ExternalName",
		externalName: "web.default.svc.cluster.local",
	}),
	service("default/lost", {
		type: "ExternalName",
		externalName: "gone.default.svc.cluster.local",
	}),
	service("default/ring", {
		type: "ExternalName",
		externalName: "back.default.svc.cluster.local",
	}),
	service("default/back", {
		type: "ExternalName",
		externalName: "ring.default.svc.cluster.local",
	}),
	service("default/number", {
		type: "ExternalName",
		externalName: "192.0.2.9",
	}),
	service(
		"shop/front",
		{ type: "LoadBalancer", clusterIP: "10.96.0.9", ports: [http] },
		{
			loadBalancer: { ingress: [{ ip: "203.0.113.5" }, { ip: "2001:db8::5" }] },
		},
	),
	service(
		"shop/named",
		{ type: "LoadBalancer", clusterIP: "10.96.0.10", ports: [http] },
		{ loadBalancer: { ingress: [{ hostname: "lb.example" }] } },
	),
	service("shop/waiting", {
		type: "LoadBalancer",
		clusterIP: "10.96.0.11",
		ports: [http],
	}),
];
const slices = [
	slice("default/web", ["10.244.1.2", "10.244.2.2"]),
	slice("default/peers", [
		"10.244.1.3",
		{ addresses: ["10.244.1.4"], hostname: "Db-0" },
		{ addresses: ["10.244.1.5"], conditions: { ready: false } },
	]),
	slice("default/peers", ["fd00:244::"], [http], "six"),
	slice("default/empty", [
		{ addresses: ["10.244.1.6"], conditions: { ready: false } },
	]),
	slice(
		"default/early",
		[{ addresses: ["10.244.1.7"], conditions: { ready: false } }],
		[],
	),
];
const objects = { services, slices };
const soa =
	"cluster.local 5 SOA ns.dns.cluster.local hostmaster.cluster.local 1767225600 7200 1800 86400 5";

const chosen = { random: () => 0.999 };

function worldOf(stores = storesOf(objects)) {
	const index = new ServiceIndex(stores, stores.clock);
	const nameServer = [recordAddress("10.96.0.10")].filter(
		(address) => address !== undefined,
	);
	const zones = [
		clusterZone(index, {
			name: "cluster.local",
			ttl: 5,
			pods: "insecure",
			nameServer,
		}),
		externalZone(index, { name: "lb.test", ttl: 5, nameServer }),
		...(["IPv4", "IPv6"] as const).map((family) =>
			reverseZone(index, {
				family,
				ttl: 5,
				clusterZone: "cluster.local",
				externalZone: "lb.test",
			}),
		),
	];
	const ask = (name: string, type: number, hasUpstream = false) =>
		answerFrom(zones, { name, type, class: 1 }, chosen.random, hasUpstream);
	return { stores, index, ask };
}

/** Rcode, then the records of all sections, each as text. */
function told(answer: ReturnType<ReturnType<typeof worldOf>["ask"]>) {
	if (!answer) return "not ours";
	const rcode = Object.entries(rcodes).find(([, n]) => n === answer.rcode)?.[0];
	const parts = [answer.answers, answer.authorities, answer.additionals];
	const more = answer.outside === undefined ? [] : [`then ${answer.outside}`];
	return [rcode, ...parts.flat().map(recordText), ...more];
}

const zone = "cluster.local";
const svc = `default.svc.${zone}`;

describe("the cluster's zone", () => {
	const { ask } = worldOf();

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
		const turned = worldOf();
		chosen.random = () => 0;
		try {
			expect(told(turned.ask(`peers.${svc}`, types.A))).toEqual([
				"NOERROR",
				`peers.${svc} 5 A 10.244.1.4`,
				`peers.${svc} 5 A 10.244.1.3`,
			]);
		} finally {
			chosen.random = () => 0.999;
		}
	});
});

describe("the external zone", () => {
	const { ask } = worldOf();
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

describe("names of addresses", () => {
	const { ask } = worldOf();
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

describe("a change in the cluster", () => {
	it("is answered at once, and raises the serial number", async () => {
		const { ask, index, stores } = worldOf();
		const before = index.serial;
		await stores.clock.advance(3000);
		stores.services.put(
			service("default/web", { clusterIP: "10.96.0.77", ports: [http] }),
		);
		expect(told(ask(`web.${svc}`, types.A))).toEqual([
			"NOERROR",
			`web.${svc} 5 A 10.96.0.77`,
		]);
		expect(told(ask("7.0.96.10.in-addr.arpa", types.PTR))).toContain(
			"NXDOMAIN",
		);
		expect(told(ask("77.0.96.10.in-addr.arpa", types.PTR))).toContain(
			"NOERROR",
		);
		expect(index.serial).toBe(before + 3);
	});

	it("of endpoints moves the names with the addresses", () => {
		const { ask, stores } = worldOf();
		stores.endpointSlices.put(slice("default/empty", ["10.244.9.9"]));
		expect(told(ask(`empty.${svc}`, types.A))).toEqual([
			"NOERROR",
			`empty.${svc} 5 A 10.244.9.9`,
		]);
		const moved = slice("default/peers", ["10.244.9.10"]);
		stores.endpointSlices.put(moved);
		expect(told(ask(`peers.${svc}`, types.A))).toEqual([
			"NOERROR",
			`peers.${svc} 5 A 10.244.9.10`,
		]);
		expect(told(ask("3.1.244.10.in-addr.arpa", types.PTR))).toContain(
			"NXDOMAIN",
		);
		stores.endpointSlices.remove({
			...moved,
			metadata: { ...moved.metadata, resourceVersion: "99999" },
		});
		expect(told(ask(`peers.${svc}`, types.A))).toEqual(["NOERROR", soa]);
	});

	it("tells an endpoint in two slices once", () => {
		const { ask, stores } = worldOf();
		stores.endpointSlices.put(
			slice("default/peers", ["10.244.1.3"], undefined, "b"),
		);
		expect(told(ask(`peers.${svc}`, types.A))).toHaveLength(3);
		expect(told(ask("3.1.244.10.in-addr.arpa", types.PTR))).toHaveLength(2);
	});

	it("takes a deleted Service's names away and leaves nothing behind", () => {
		const { ask, stores } = worldOf();
		for (const object of [...stores.services.values()])
			stores.services.remove({
				...object,
				metadata: { ...object.metadata, resourceVersion: "99999" },
			});
		expect(told(ask(`web.${svc}`, types.A))).toEqual(["NXDOMAIN", soa]);
		expect(told(ask("7.0.96.10.in-addr.arpa", types.PTR))).toContain(
			"NXDOMAIN",
		);
		expect(told(ask("3.1.244.10.in-addr.arpa", types.PTR))).toContain(
			"NXDOMAIN",
		);
	});

	it("brings a namespace to life", () => {
		const { ask, stores } = worldOf();
		stores.namespaces.put(namespace("new"));
		expect(told(ask(`new.svc.${zone}`, types.A))).toEqual(["NOERROR", soa]);
	});
});
