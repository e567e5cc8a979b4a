import type { IPFamily } from "../../api/core.ts";
import { balancerSourceRanges } from "./source-ranges.ts";

const annotation = "service.beta.kubernetes.io/load-balancer-source-ranges";
const nobody = ["255.255.255.255/32"];

describe("who may connect to a balancer", () => {
	it.each<[string, IPFamily[], string[], string, string[]]>([
		["is everybody without ranges", ["IPv4"], [], "", []],
		[
			"is whom the field names, in order and trimmed",
			["IPv4"],
			[" 198.51.100.0/24", "192.0.2.0/24 "],
			"",
			["192.0.2.0/24", "198.51.100.0/24"],
		],
		[
			"is whom the annotation names where the field says nothing",
			["IPv4"],
			[],
			"192.0.2.0/24, 198.51.100.0/24",
			["192.0.2.0/24", "198.51.100.0/24"],
		],
		[
			"is whom the field names where both speak",
			["IPv4"],
			["192.0.2.0/24"],
			"198.51.100.0/24",
			["192.0.2.0/24"],
		],
		[
			"leaves a second family open that no range speaks of",
			["IPv4", "IPv6"],
			["192.0.2.0/24"],
			"",
			["192.0.2.0/24", "::/0"],
		],
		[
			"leaves nobody a family that the Service does not have",
			["IPv6"],
			["2001:db8::/32"],
			"",
			["2001:db8::/32"],
		],
		["is everybody under /0", ["IPv4"], ["0.0.0.0/0"], "", []],
		[
			"is everybody of one family under /0, and some of the other",
			["IPv4", "IPv6"],
			["0.0.0.0/0", "2001:db8::/32"],
			"",
			["0.0.0.0/0", "2001:db8::/32"],
		],
		[
			"is nobody where ranges were given and none can be read",
			["IPv4"],
			[],
			"rubbish",
			nobody,
		],
	])("%s", (_row, ipFamilies, loadBalancerSourceRanges, noted, expected) => {
		expect(
			balancerSourceRanges({
				metadata: {
					name: "web",
					...(noted === "" ? {} : { annotations: { [annotation]: noted } }),
				},
				spec: { ipFamilies, loadBalancerSourceRanges },
			}),
		).toEqual(expected);
	});
});
