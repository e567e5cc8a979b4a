import { serviceOf } from "../../../../test/support/rules-world.ts";
import { readLeniently } from "./lenient-addresses.ts";

it.each([
	["192.0.2.1", "192.0.2.1"],
	["010.096.000.001", "10.96.0.1"],
	["0.0.0.0", "0.0.0.0"],
	["100.10.200.0", "100.10.200.0"],
	["2001:db8::10", "2001:db8::10"],
	["2001:db8::ffff:10", "2001:db8::ffff:10"],
	["::ffff:192.0.2.1", "192.0.2.1"],
	["::ffff:192.000.002.010", "192.0.2.10"],
	["0:0:0:0:0:FFFF:c000:0201", "192.0.2.1"],
	["not an address", "not an address"],
])("kube-proxy reads %s as %s", (text, read) => {
	const { spec, status } = readLeniently(
		serviceOf(
			{ clusterIP: text, clusterIPs: [text], externalIPs: [text] },
			{ ingress: [{ ip: text }, { hostname: "web.example" }] },
		),
	);
	expect([spec.clusterIP, spec.clusterIPs, spec.externalIPs]).toEqual([
		read,
		[read],
		[read],
	]);
	expect(status?.loadBalancer?.ingress).toEqual([
		{ ip: read },
		{ hostname: "web.example" },
	]);
});

it.each([
	["010.0.0.0/08", "10.0.0.0/08"],
	[" 192.0.2.0/24 ", " 192.0.2.0/24 "],
	["::ffff:192.0.2.0/120", "192.0.2.0/24"],
])("kube-proxy reads source range %s as %s", (text, read) => {
	const service = serviceOf({ loadBalancerSourceRanges: [text] });
	expect(readLeniently(service).spec.loadBalancerSourceRanges).toEqual([read]);
});
