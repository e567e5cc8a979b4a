import type { Socket } from "node:net";
import { FairleadError } from "../../../operator/errors.ts";
import {
	addAddress,
	listAddresses,
} from "../../../operator/kernel/link-addresses.ts";
import {
	createBridge,
	deleteLinkGroup,
	LOOPBACK,
	setLink,
} from "../../../operator/kernel/links.ts";
import type { NetworkNamespace } from "../../../operator/kernel/namespaces.ts";
import type { NetlinkSocket } from "../../../operator/kernel/netlink.ts";
import { removeRoute, setRoute } from "../../../operator/kernel/routes.ts";
import {
	carryOut,
	openRouteSocket,
} from "../../../operator/kernel/rtnetlink.ts";
import { connectIn } from "../../../operator/kernel/sockets.ts";
import {
	cloudAddress,
	externalCidr,
	macOf,
	maxNodes,
	nodeAddress,
	outsideAddress,
	podCidr,
} from "../addresses.ts";
import type { Network, NodeNetwork, Place } from "../network.ts";
import {
	ETH0,
	forwardPackets,
	MACHINES,
	Machine,
	noPodsElsewhere,
	type Switch,
	wayToBalancers,
} from "./machine.ts";
import { NetnsNode } from "./netns-node.ts";

/** Indexes of the links outside, beyond what a namespace begins with. */
const BRIDGE = 1000;
const CLOUD_LINK = 1001;
const FIRST_NODE_LINK = 1001;

/** Whoever routes to pods: its socket, and its link to the switch. */
interface Router {
	routes: NetlinkSocket;
	link: number;
}

export interface NetnsOptions {
	/** Becomes the outside; it has to be empty, for it is filled with this network's links and addresses. */
	outside: NetworkNamespace;
	/** A folder of this network alone, for the files that pods see instead of the machine's. */
	folder: string;
}

/** Machines on one switch, pods behind nodes, each in a namespace. */
export class NetnsNetwork implements Network {
	readonly mode = "netns";
	readonly outside: Place;
	readonly cloud: Machine;
	readonly #folder: string;
	readonly #switch: Switch;
	readonly #nodes = new Map<number, { node: NetnsNode; machine: Machine }>();
	/** Ends of removed nodes. */
	readonly #leaving = new Set<Promise<unknown>>();
	#closed = false;

	/** @throws NetworkUnavailable if `outside` has addresses already; KernelDenied, KernelUnsupported, KernelFailed */
	constructor({ outside, folder }: NetnsOptions) {
		this.#folder = folder;
		const routes = openRouteSocket(outside);
		const taken = listAddresses(routes).find(({ link }) => link !== LOOPBACK);
		if (taken) {
			routes.close();
			throw new FairleadError(
				"NetworkUnavailable",
				`the sandbox's network needs a network namespace of its own, and this one has address ${taken.address}`,
			);
		}
		try {
			forwardPackets(outside);
			carryOut(routes, [
				noPodsElsewhere,
				setLink(LOOPBACK, { up: true }),
				createBridge({
					name: "br0",
					index: BRIDGE,
					mac: macOf(outsideAddress),
				}),
				addAddress({
					link: BRIDGE,
					address: outsideAddress,
					prefixLength: 16,
				}),
				setLink(BRIDGE, { group: MACHINES, up: true }),
				setRoute(wayToBalancers(BRIDGE)),
				setRoute({
					destination: externalCidr,
					via: nodeAddress(1),
					link: BRIDGE,
				}),
			]);
			this.#switch = { routes, bridge: BRIDGE };
			this.cloud = new Machine(this.#switch, "cloud", CLOUD_LINK, cloudAddress);
		} catch (error) {
			carryOut(routes, [deleteLinkGroup(MACHINES)]);
			routes.close();
			throw error;
		}
		this.outside = {
			address: outsideAddress,
			namespace: outside,
			connect: (target): Socket => connectIn(outside, target),
		};
	}

	addNode(number: number): NodeNetwork {
		if (!Number.isInteger(number) || number < 1 || number > maxNodes)
			throw new FairleadError(
				"NetworkUnavailable",
				`there is no node ${number}: the sandbox's network has room for nodes 1 to ${maxNodes}`,
			);
		if (this.#nodes.has(number))
			throw new FairleadError(
				"NetworkUnavailable",
				`node ${number} is there already`,
			);
		const machine = new Machine(
			this.#switch,
			`node-${number}`,
			FIRST_NODE_LINK + number,
			nodeAddress(number),
		);
		const node = new NetnsNode(number, machine, this.#folder, (ended) => {
			this.#nodes.delete(number);
			this.#leaving.add(ended);
			void ended.then(() => this.#leaving.delete(ended));
			if (this.#closed) return;
			for (const { routes, link } of this.#routers())
				carryOut(routes, [removeRoute(wayToPods(number, link))]);
		});
		for (const { routes, link } of this.#routers())
			carryOut(routes, [setRoute(wayToPods(number, link))]);
		carryOut(
			machine.routes,
			[...this.#nodes.keys()].map((other) => setRoute(wayToPods(other, ETH0))),
		);
		this.#nodes.set(number, { node, machine });
		return node;
	}

	/** Ends every pod, and leaves of the outside what it was. */
	async close(): Promise<void> {
		if (!this.#closed) {
			this.#closed = true;
			// All at once, before every node would do it for itself.
			carryOut(this.#switch.routes, [deleteLinkGroup(MACHINES)]);
			this.cloud.close();
		}
		await Promise.all([
			...[...this.#nodes.values()].map(({ node }) => node.end()),
			...this.#leaving,
		]);
		this.#switch.routes.close();
	}

	/** Everybody who has to know where a node's pods are. */
	*#routers(): Iterable<Router> {
		yield { routes: this.#switch.routes, link: BRIDGE };
		yield { routes: this.cloud.routes, link: ETH0 };
		for (const { machine } of this.#nodes.values())
			yield { routes: machine.routes, link: ETH0 };
	}
}

function wayToPods(node: number, link: number): Parameters<typeof setRoute>[0] {
	return { destination: podCidr(node), via: nodeAddress(node), link };
}
