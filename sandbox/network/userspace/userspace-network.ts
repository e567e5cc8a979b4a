import { BlockList, connect, isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type Clock, systemClock } from "../../../operator/clock.ts";
import { FairleadError } from "../../../operator/errors.ts";
import { AddressPool } from "../address-pool.ts";
import {
	balancerCidr,
	cloudAddress,
	maxNodes,
	nodeAddress,
	outsideAddress,
	podAddresses,
	podCidr,
} from "../addresses.ts";
import type { Network, NodeNetwork, Place } from "../network.ts";
import type { Decision, Flow } from "./rules.ts";
import { failing, lost, socketOn } from "./stand-in-sockets.ts";
import { Undertaker } from "./undertaker.ts";
import { UserspacePod } from "./userspace-pod.ts";

type Target = { host: string; port: number };

/** A node that is there; the network knows it by its address. */
interface Node {
	name: string;
	address: string;
	pods: Map<string, UserspacePod>;
	onItsNetwork: Set<UserspacePod>;
}

/**
 * The same addresses without namespaces, on any system: a `connect` from a place is decided as the packets would be, and then goes
 * to where the port really is on this machine's loopback.
 *
 * What cannot work: a process in a pod cannot itself connect to addresses of the sandbox, nor can a program of this machine (the door
 * can); two pods that bind the same port without publishing it collide; everybody sees 127.0.0.1 as the sender; there is no
 * UDP; pods see the machine's files, hostname and processes.
 */
export class UserspaceNetwork implements Network {
	readonly mode = "userspace";
	readonly outside: Place;
	readonly cloud: Place;
	readonly #clock: Clock;
	readonly #nodes = new Map<string, Node>();
	readonly #rules = new Map<string, (flow: Flow) => Decision>();
	readonly #listeners = new Map<string, Target>();
	readonly #undertaker = new Undertaker();
	readonly #balancerCidrs = new BlockList();
	#dialBalancer: ((target: Target) => Duplex) | undefined;

	constructor({ clock = systemClock }: { clock?: Clock } = {}) {
		this.#clock = clock;
		this.outside = this.#place(outsideAddress);
		this.cloud = this.#place(cloudAddress);
		const [base = "", length] = balancerCidr.split("/");
		this.#balancerCidrs.addSubnet(base, Number(length));
	}

	/** What happens to connections to balancers' addresses. `dial` may throw: an error's `code` is then connect's. */
	setBalancers(dial: (target: Target) => Duplex): void {
		this.#dialBalancer = dial;
	}

	/** What the rules of a node do with connections from it and its pods, and with those that arrive at it: see `decideBy`. */
	setRules(node: string, decide: (flow: Flow) => Decision): void {
		this.#rules.set(node, decide);
	}

	/** Where a port of the outside or the cloud really is: the API server, DNS. */
	setListener(place: Place, port: number, reallyAt: Target): void {
		this.#listeners.set(`${place.address} ${port}`, reallyAt);
	}

	addNode(number: number): NodeNetwork {
		const address = nodeAddress(number);
		if (!Number.isInteger(number) || number < 1 || number > maxNodes)
			throw new FairleadError(
				"NetworkUnavailable",
				`there is no node ${number}: the sandbox's network has room for nodes 1 to ${maxNodes}`,
			);
		if (this.#nodes.has(address))
			throw new FairleadError(
				"NetworkUnavailable",
				`node ${number} is there already`,
			);
		const name = `node-${number}`;
		const node: Node = {
			name,
			address,
			pods: new Map(),
			onItsNetwork: new Set(),
		};
		this.#nodes.set(address, node);
		const addresses = new AddressPool(name, podAddresses(number));
		const place = this.#place(address, node);
		return {
			...place,
			name,
			podCidr: podCidr(number),
			addPod: ({ hostNetwork }) => {
				if (hostNetwork) {
					const pod: UserspacePod = new UserspacePod(
						address,
						this.#undertaker,
						(target) => this.#connect(address, node, target),
						() => node.onItsNetwork.delete(pod),
					);
					node.onItsNetwork.add(pod);
					return pod;
				}
				const own = addresses.take();
				const pod = new UserspacePod(
					own,
					this.#undertaker,
					(target) => this.#connect(own, node, target),
					() => {
						if (node.pods.delete(own)) addresses.giveBack(own);
					},
				);
				node.pods.set(own, pod);
				return pod;
			},
			remove: () => {
				for (const pod of [...node.pods.values(), ...node.onItsNetwork])
					pod.remove();
				if (this.#nodes.get(address) === node) {
					this.#nodes.delete(address);
					this.#rules.delete(name);
				}
			},
		};
	}

	close(): Promise<void> {
		for (const { pods, onItsNetwork } of this.#nodes.values())
			for (const pod of [...pods.values(), ...onItsNetwork]) pod.remove();
		this.#nodes.clear();
		this.#undertaker.close();
		return Promise.resolve();
	}

	#place(address: string, node?: Node): Place {
		return {
			address,
			namespace: undefined,
			connect: (target) => this.#connect(address, node, target),
		};
	}

	#connect(source: string, from: Node | undefined, target: Target): Socket {
		if (isIP(target.host) === 0 && target.host !== "localhost")
			return failing("EHOSTUNREACH", target);
		const isLoopback =
			target.host === "localhost" ||
			target.host === "::1" ||
			target.host.startsWith("127.");
		const asked = isLoopback ? { ...target, host: source } : target;
		const decided = this.#passRules(source, from, asked);
		if (decided === "rejected") return failing("ECONNREFUSED", target);
		if (decided === "dropped") return lost(this.#clock, target);
		return this.#deliver(decided, target);
	}

	/** The rules of the node it begins at, and then of the node it arrives at. */
	#passRules(
		source: string,
		from: Node | undefined,
		target: Target,
	): Target | "rejected" | "dropped" {
		const arrivesAt = this.#nodes.get(target.host);
		for (const node of new Set([from, arrivesAt])) {
			const decision =
				node &&
				this.#rules.get(node.name)?.({
					source,
					destination: target.host,
					port: target.port,
				});
			if (decision === "rejected" || decision === "dropped") return decision;
			if (decision && decision !== "untouched") return decision.goesTo;
		}
		return target;
	}

	/** `asked` is what errors are about. */
	#deliver({ host, port }: Target, asked: Target): Socket {
		const really = this.#listeners.get(`${host} ${port}`);
		if (really) return connect(really);
		if (this.#balancerCidrs.check(host)) return this.#dial({ host, port });
		const node = this.#nodes.get(host);
		if (node) return this.#connectTo([...node.onItsNetwork], port, asked);
		for (const { pods } of this.#nodes.values()) {
			const pod = pods.get(host);
			if (pod) return this.#connectTo([pod], port, asked);
		}
		return host === outsideAddress || host === cloudAddress
			? failing("ECONNREFUSED", asked)
			: failing("EHOSTUNREACH", asked);
	}

	#connectTo(pods: UserspacePod[], port: number, asked: Target): Socket {
		for (const pod of pods) {
			const really = pod.listenerOf(port);
			if (really) return connect(really);
		}
		return failing("ECONNREFUSED", asked);
	}

	#dial(target: Target): Socket {
		try {
			return this.#dialBalancer
				? socketOn(this.#dialBalancer(target))
				: failing("EHOSTUNREACH", target);
		} catch (error) {
			const { code } = error as NodeJS.ErrnoException;
			return failing(code === "ECONNREFUSED" ? code : "EHOSTUNREACH", target);
		}
	}
}
