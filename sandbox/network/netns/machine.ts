import type { Socket } from "node:net";
import { addAddress } from "../../../operator/kernel/link-addresses.ts";
import {
	createVeth,
	deleteLink,
	LOOPBACK,
	setLink,
} from "../../../operator/kernel/links.ts";
import {
	createNetworkNamespace,
	type NetworkNamespace,
} from "../../../operator/kernel/namespaces.ts";
import type { NetlinkSocket } from "../../../operator/kernel/netlink.ts";
import { setRoute } from "../../../operator/kernel/routes.ts";
import {
	carryOut,
	openRouteSocket,
	type RouteStep,
} from "../../../operator/kernel/rtnetlink.ts";
import { connectIn } from "../../../operator/kernel/sockets.ts";
import {
	setNetworkSettings,
	trySetNetworkSetting,
} from "../../../operator/kernel/sysctl.ts";
import {
	balancerCidr,
	cloudAddress,
	macOf,
	outsideAddress,
	podsCidr,
} from "../addresses.ts";
import type { Place } from "../network.ts";

/** Index of `eth0` in every namespace that has one. */
export const ETH0 = 2;
/** Group of all links outside. */
export const MACHINES = 30;
const machinePrefixLength = 16;

/** The switch that all machines are plugged into. */
export interface Switch {
	/** Of the namespace it is in. */
	readonly routes: NetlinkSocket;
	/** Its index. */
	readonly bridge: number;
}

/** A machine on the switch: the cloud, or a node. */
export class Machine implements Place {
	readonly address: string;
	readonly namespace: NetworkNamespace;
	readonly routes: NetlinkSocket;
	readonly #switch: Switch;
	readonly #link: number;

	/** `name` and `link` are name and index of its end at the switch. */
	constructor(at: Switch, name: string, link: number, address: string) {
		this.address = address;
		this.#switch = at;
		this.#link = link;
		this.namespace = createNetworkNamespace();
		this.routes = openRouteSocket(this.namespace);
		try {
			this.#plugIn(name);
		} catch (error) {
			this.close();
			throw error;
		}
	}

	#plugIn(name: string): void {
		forwardPackets(this.namespace);
		const { address } = this;
		const link = this.#link;
		carryOut(this.#switch.routes, [
			createVeth(
				{ name, index: link },
				{
					name: "eth0",
					index: ETH0,
					mac: macOf(address),
					namespace: this.namespace,
				},
			),
			setLink(link, {
				master: this.#switch.bridge,
				group: MACHINES,
				up: true,
			}),
		]);
		const steps: RouteStep[] = [
			noPodsElsewhere,
			setLink(LOOPBACK, { up: true }),
			addAddress({
				link: ETH0,
				address,
				prefixLength: machinePrefixLength,
			}),
			setLink(ETH0, { up: true }),
			setRoute({ destination: "0.0.0.0/0", via: outsideAddress, link: ETH0 }),
			setRoute(
				address === cloudAddress ? noSuchBalancer : wayToBalancers(ETH0),
			),
		];
		carryOut(this.routes, steps);
	}

	connect(target: { host: string; port: number }): Socket {
		return connectIn(this.namespace, target);
	}

	/** Unplugs it at once; the namespace goes when nothing is left in it. */
	close(): void {
		carryOut(this.#switch.routes, [deleteLink(this.#link)]);
		this.routes.close();
		this.namespace.close();
	}
}

/** A pod's address whose node is not there leads nowhere, not by the default route around in the network. */
export const noPodsElsewhere = setRoute({
	destination: podsCidr,
	type: "unreachable",
});

/** An address that no balancer has is said to be unreachable, and sent round in no circle. */
const noSuchBalancer = {
	destination: balancerCidr,
	type: "unreachable",
} as const;

/** Balancers' addresses are the cloud's: everybody but the cloud sends there. */
export function wayToBalancers(link: number): Parameters<typeof setRoute>[0] {
	return { destination: balancerCidr, via: cloudAddress, link };
}

/**
 * Makes a namespace a router. Before links are made in it: they take `default` with them. Nobody is told of a shorter way
 * (redirects), since what looks like one goes around the rules that rewrite the packet; answers may come back another way; and
 * whoever is rejected is told so every time.
 */
export function forwardPackets(namespace: NetworkNamespace): void {
	setNetworkSettings(namespace, {
		"ipv4/ip_forward": 1,
		"ipv4/conf/all/rp_filter": 0,
		"ipv4/conf/default/rp_filter": 0,
		"ipv4/conf/all/send_redirects": 0,
		"ipv4/conf/default/send_redirects": 0,
		"ipv4/icmp_ratelimit": 0,
	});
	// A kernel without IPv6 makes up no addresses of it.
	trySetNetworkSetting(namespace, "ipv6/conf/default/addr_gen_mode", 1);
}
