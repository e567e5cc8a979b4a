import { once } from "node:events";
import { Resolver } from "node:dns/promises";
import { BlockList, isIP, type Socket } from "node:net";
import { podsCidr, serviceCidr } from "./network/addresses.ts";
import type { Place } from "./network/network.ts";

/** Where a name is looked for, in turn: as a pod of namespace default would. */
const searches = [
	"default.svc.cluster.local",
	"svc.cluster.local",
	"cluster.local",
];

/**
 * Where the door's clients get that ask for no balancer: names of the cluster, pods and ClusterIPs as seen from the first
 * node, everything else as seen from outside. Rejects with a code of connect(2).
 */
export function reachInside(options: {
	outside: Place;
	/** The first node; undefined while there is none. */
	node: () => Place | undefined;
	nameServer: { host: string; port: number };
}): (host: string, port: number) => Promise<Socket> {
	const { outside, node, nameServer } = options;
	const resolver = new Resolver({ timeout: 1000, tries: 2 });
	resolver.setServers([`${nameServer.host}:${nameServer.port}`]);
	const clusters = new BlockList();
	for (const cidr of [podsCidr, serviceCidr]) {
		const [address = "", length = ""] = cidr.split("/");
		clusters.addSubnet(address, Number(length));
	}
	return async (host, port) => {
		const address = isIP(host) ? host : await resolve(resolver, host);
		const from = clusters.check(address) ? node() : outside;
		if (!from)
			throw unreachable(`${address} is the cluster's, which has no node`);
		const socket = from.connect({ host: address, port });
		await once(socket, "connect");
		return socket;
	};
}

async function resolve(resolver: Resolver, name: string): Promise<string> {
	const names = name.endsWith(".")
		? [name]
		: [...searches.map((search) => `${name}.${search}`), name];
	for (const full of names)
		try {
			const [address] = await resolver.resolve4(full);
			if (address !== undefined) return address;
		} catch {
			// Not that one; the last failure is told below.
		}
	throw unreachable(`the cluster's DNS knows no ${name}`);
}

function unreachable(message: string): Error {
	return Object.assign(new Error(message), { code: "EHOSTUNREACH" });
}
