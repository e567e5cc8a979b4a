import { join } from "node:path";
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
import { removeRoute, setRoute } from "../../../operator/kernel/routes.ts";
import { carryOut, carryOutIn } from "../../../operator/kernel/rtnetlink.ts";
import { connectIn } from "../../../operator/kernel/sockets.ts";
import { AddressPool } from "../address-pool.ts";
import { macOf, podAddresses, podCidr, podGateway } from "../addresses.ts";
import type { NodeNetwork, PodNetwork } from "../network.ts";
import { ETH0, type Machine } from "./machine.ts";
import { NetnsPod } from "./netns-pod.ts";
import { PodProcesses } from "./pod-processes.ts";

/** Where the indexes of a node's links to its pods begin. */
const FIRST_POD_LINK = 10;

/** A machine that runs pods, each at the other end of a veth pair. */
export class NetnsNode implements NodeNetwork {
	readonly name: string;
	readonly podCidr: string;
	readonly #number: number;
	readonly #machine: Machine;
	readonly #folder: string;
	readonly #addresses: AddressPool;
	/** Those too whose processes are about to end. */
	readonly #pods = new Set<NetnsPod>();
	readonly #onRemove: (ended: Promise<unknown>) => void;
	#podsMade = 0;
	#removed = false;

	/** `folder` is for its pods' files; `onRemove` takes it off the others' network. */
	constructor(
		number: number,
		machine: Machine,
		folder: string,
		onRemove: (ended: Promise<unknown>) => void,
	) {
		this.name = `node-${number}`;
		this.podCidr = podCidr(number);
		this.#number = number;
		this.#machine = machine;
		this.#folder = folder;
		this.#addresses = new AddressPool(this.name, podAddresses(number));
		this.#onRemove = onRemove;
		// In scope link nothing but its pods' default route ever uses it: what leaves the node leaves from the node's address.
		carryOut(machine.routes, [
			addAddress({
				link: LOOPBACK,
				address: podGateway(number),
				prefixLength: 32,
				scope: "link",
			}),
		]);
	}

	get address(): string {
		return this.#machine.address;
	}

	get namespace(): NetworkNamespace {
		return this.#machine.namespace;
	}

	connect(target: { host: string; port: number }): Socket {
		return connectIn(this.namespace, target);
	}

	addPod({ hostNetwork }: { hostNetwork: boolean }): PodNetwork {
		const id = ++this.#podsMade;
		const folder = join(this.#folder, `${this.name}-${id}`);
		const pod = hostNetwork
			? new NetnsPod(
					this.address,
					this.namespace,
					new PodProcesses(this.namespace, folder),
					() => {},
					() => this.#pods.delete(pod),
				)
			: this.#addOwnNetwork(id, folder);
		this.#pods.add(pod);
		return pod;
	}

	remove(): void {
		void this.end();
	}

	/** As `remove`; resolves when all its pods' processes are gone. */
	end(): Promise<unknown> {
		const ended = Promise.all([...this.#pods].map((pod) => pod.end()));
		if (!this.#removed) {
			this.#removed = true;
			this.#onRemove(ended);
			this.#machine.close();
		}
		return ended;
	}

	#addOwnNetwork(id: number, folder: string): NetnsPod {
		const address = this.#addresses.take();
		let namespace: NetworkNamespace;
		try {
			namespace = createNetworkNamespace();
		} catch (error) {
			this.#addresses.giveBack(address);
			throw error;
		}
		const link = FIRST_POD_LINK + id;
		const { routes } = this.#machine;
		const detach = () => {
			namespace.close();
			this.#addresses.giveBack(address);
			if (!this.#removed)
				carryOut(routes, [
					removeRoute({ destination: `${address}/32`, link }),
					deleteLink(link),
				]);
		};
		try {
			this.#plugIn(id, address, namespace, link);
			const pod: NetnsPod = new NetnsPod(
				address,
				namespace,
				new PodProcesses(namespace, folder),
				detach,
				() => this.#pods.delete(pod),
			);
			return pod;
		} catch (error) {
			detach();
			throw error;
		}
	}

	#plugIn(
		id: number,
		address: string,
		namespace: NetworkNamespace,
		link: number,
	): void {
		const gateway = podGateway(this.#number);
		carryOut(this.#machine.routes, [
			createVeth(
				{ name: `pod${id}`, index: link, mac: macOf(gateway) },
				{ name: "eth0", index: ETH0, mac: macOf(address), namespace },
			),
			setLink(link, { up: true }),
			setRoute({ destination: `${address}/32`, link }),
		]);
		carryOutIn(namespace, [
			setLink(LOOPBACK, { up: true }),
			addAddress({ link: ETH0, address, prefixLength: 32 }),
			setLink(ETH0, { up: true }),
			setRoute({ destination: `${gateway}/32`, link: ETH0 }),
			setRoute({ destination: "0.0.0.0/0", via: gateway, link: ETH0 }),
		]);
	}
}
