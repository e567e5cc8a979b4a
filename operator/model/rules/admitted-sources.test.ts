import { type IpAddress, parseIp } from "../addresses/ip.ts";
import { admittedSources } from "./admitted-sources.ts";

const node = { primaryAddresses: ["172.30.1.1", "fd00:172:30::1:1"] };

function ipOf(text: string): IpAddress {
	const address = parseIp(text);
	if (!address.ok) throw new RangeError(address.reason);
	return address.value;
}

const ingress = ["203.0.113.10", "203.0.113.11", "2001:db8::10"].map(ipOf);

describe("source ranges on a node", () => {
	it.each([
		[
			"that is within them admit the balancer's own addresses of their family",
			["172.30.1.0/24", "192.0.2.0/24"],
			["172.30.1.0/24", "192.0.2.0/24", "203.0.113.10/32", "203.0.113.11/32"],
		],
		[
			"of IPv6 do so too",
			["fd00:172:30::/48"],
			["fd00:172:30::/48", "2001:db8::10/128"],
		],
		[
			"that is not within them stay as they are",
			["172.30.2.0/24"],
			["172.30.2.0/24"],
		],
		[
			"name an address once",
			["172.30.1.1/32", "203.0.113.10/32"],
			["172.30.1.1/32", "203.0.113.10/32", "203.0.113.11/32"],
		],
		["that admit nobody go on admitting nobody", [], []],
	])("%s", (_, ranges, admitted) => {
		expect(admittedSources(ranges, ingress, node)).toEqual(admitted);
	});

	it("stay as they are where nobody knows the node's address", () => {
		expect(admittedSources(["0.0.0.0/1"], ingress, {})).toEqual(["0.0.0.0/1"]);
	});
});
