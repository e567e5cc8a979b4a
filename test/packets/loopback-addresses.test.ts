import { loopbackAddresses } from "../../fake-cloud/engine/kernel/loopback-addresses.ts";
import { listAddresses } from "../../operator/kernel/link-addresses.ts";
import { LOOPBACK } from "../../operator/kernel/links.ts";
import {
	createNetworkNamespace,
	type NetworkNamespace,
} from "../../operator/kernel/namespaces.ts";
import { listRoutes } from "../../operator/kernel/routes.ts";
import { openRouteSocket } from "../../operator/kernel/rtnetlink.ts";

let real: NetworkNamespace;

beforeEach(() => {
	real = createNetworkNamespace();
});

afterEach(() => real.close());

/** Where every setting is missing: what sets one gives nothing back, what opens a socket does. */
function withoutSettings(): NetworkNamespace {
	return {
		fd: real.fd,
		close() {},
		run<T>(work: () => T): T {
			const made = real.run(work);
			if (made === undefined)
				throw Object.assign(new Error("no such file"), { code: "ENOENT" });
			return made;
		},
	};
}

function look() {
	const socket = openRouteSocket(real);
	const addresses = listAddresses(socket)
		.filter(({ link }) => link === LOOPBACK)
		.map(({ address }) => address);
	const destinations = listRoutes(socket).map(({ destination }) => destination);
	socket.close();
	return { addresses, destinations };
}

const ranges = ["203.0.113.0/24", "2001:db8::/64"];

test("addresses of both families are held, and what nobody has leads nowhere", () => {
	const held = loopbackAddresses(real, ranges);
	held.add("203.0.113.7");
	held.add("2001:db8::7");
	expect(look()).toEqual({
		addresses: ["203.0.113.7", "2001:db8::7"],
		destinations: expect.arrayContaining(ranges) as string[],
	});
	held.remove("2001:db8::7");
	expect(look().addresses).toEqual(["203.0.113.7"]);
	held.close();
});

test("where the kernel has IPv6 off, IPv4 addresses are held and IPv6 ones refused by name", () => {
	const held = loopbackAddresses(withoutSettings(), ranges);
	held.add("203.0.113.7");
	expect(() => held.add("2001:db8::7")).toThrow(
		"nobody carries 2001:db8::7: this kernel has IPv6 off",
	);
	held.remove("2001:db8::7");
	expect(look().addresses).toEqual(["203.0.113.7"]);
	expect(look().destinations).not.toContain("2001:db8::/64");
	held.close();
});
