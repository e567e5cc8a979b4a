import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, isIPv6, type Server } from "node:net";
import type { IPFamily, Protocol } from "../../operator/api/core.ts";
import {
	AF_INET,
	AF_INET6,
	libc,
	SOCK_CLOEXEC,
	SOCK_DGRAM,
	SOCK_NONBLOCK,
} from "../../operator/kernel/libc.ts";
import { addAddress } from "../../operator/kernel/link-addresses.ts";
import { createVeth, LOOPBACK, setLink } from "../../operator/kernel/links.ts";
import {
	createNetworkNamespace,
	type NetworkNamespace,
} from "../../operator/kernel/namespaces.ts";
import { setRoute } from "../../operator/kernel/routes.ts";
import { carryOutIn } from "../../operator/kernel/rtnetlink.ts";
import { bindUdpIn, listenIn } from "../../operator/kernel/sockets.ts";
import { setNetworkSettings } from "../../operator/kernel/sysctl.ts";
import { eventually } from "./eventually.ts";
import {
	addresses,
	type Answer,
	type Conversation,
	datagramConversation,
	type PlaceName,
	read,
	streamConversation,
} from "./packet-conversations.ts";

export type { Answer, Conversation, PlaceName };

const bits: Record<IPFamily, number> = { IPv4: 32, IPv6: 128 };
const anywhere: Record<IPFamily, string> = { IPv4: "0.0.0.0/0", IPv6: "::/0" };
const families: readonly IPFamily[] = ["IPv4", "IPv6"];

/** Where every place but the node serves its name and whom it sees, over TCP and UDP. */
export const SERVER_PORT = 8080;

/** What UDP clients bind: none that anybody serves, NodePorts included. */
const CLIENT_PORT = 33_000;
const LAST_CLIENT_PORT = 65_000;

/** Index of the node's link to `outside`. */
const FIRST_LINK = 10;

export interface PacketWorld {
	namespaceOf(place: PlaceName): NetworkNamespace;
	addressOf(place: PlaceName, family: IPFamily): string;
	/** Opens a connection, or sends a datagram, from an own port each time. */
	ask(
		from: PlaceName,
		protocol: Exclude<Protocol, "SCTP">,
		host: string,
		port: number,
	): Question;
	/** The same, and goes on asking over one connection, or from one port. */
	converse(
		from: PlaceName,
		protocol: Exclude<Protocol, "SCTP">,
		host: string,
		port: number,
	): Conversation;
	/** Sends an echo request. */
	ping(from: PlaceName, host: string): Question;
	close(): Promise<void>;
}

export interface Question {
	answer: Promise<Answer>;
	/** Nobody answers: `answer` never settles. */
	abandon(): void;
}

export async function createPacketWorld(): Promise<PacketWorld> {
	const world = new World();
	try {
		world.connect();
		await world.serve();
		await world.meet();
	} catch (error) {
		await world.close();
		throw error;
	}
	return world;
}

class World implements PacketWorld {
	readonly #namespaces = new Map<PlaceName, NetworkNamespace>();
	readonly #servers: (Server | UdpSocket)[] = [];
	readonly #conversations = new Set<Conversation>();
	#port = CLIENT_PORT;

	namespaceOf(place: PlaceName): NetworkNamespace {
		const namespace = this.#namespaces.get(place);
		if (!namespace) throw new Error(`no place ${place}`);
		return namespace;
	}

	addressOf(place: PlaceName, family: IPFamily): string {
		return addresses[place][family];
	}

	/** Wires every place to the node as pods are: an address of its own, the rest of the world behind the node. */
	connect(): void {
		const places = Object.keys(addresses) as PlaceName[];
		for (const name of places) {
			const namespace = createNetworkNamespace();
			this.#namespaces.set(name, namespace);
			setNetworkSettings(namespace, {
				"ipv4/ping_group_range": "0 0",
				"ipv6/conf/all/accept_dad": 0,
				"ipv6/conf/default/accept_dad": 0,
			});
			carryOutIn(namespace, [setLink(LOOPBACK, { up: true })]);
		}
		const node = this.namespaceOf("node");
		setNetworkSettings(node, {
			"ipv4/ip_forward": 1,
			"ipv6/conf/all/forwarding": 1,
			// A refusal that ICMP's rate limit swallows cannot be told from a drop.
			"ipv4/icmp_ratelimit": 0,
			"ipv6/icmp/ratelimit": 0,
			// A flow of one question and one answer would be over in 30 s, which a busy machine may need to ask again.
			"netfilter/nf_conntrack_udp_timeout": 600,
		});
		places
			.filter((name) => name !== "node")
			.forEach((name, index) => this.#wire(node, name, FIRST_LINK + index));
		// Places come in order: the first link leads outside.
		carryOutIn(
			node,
			families.map((family) =>
				setRoute({
					destination: anywhere[family],
					via: addresses.outside[family],
					link: FIRST_LINK,
				}),
			),
		);
	}

	#wire(node: NetworkNamespace, name: PlaceName, link: number): void {
		const namespace = this.namespaceOf(name);
		carryOutIn(node, [
			createVeth({ name, index: link }, { name: "eth0", index: 2, namespace }),
			...families.map((family) =>
				addAddress({
					link,
					address: addresses.node[family],
					prefixLength: bits[family],
				}),
			),
			setLink(link, { up: true }),
		]);
		carryOutIn(namespace, [
			...families.map((family) =>
				addAddress({
					link: 2,
					address: addresses[name][family],
					prefixLength: bits[family],
				}),
			),
			setLink(2, { up: true }),
			...families.flatMap((family) => [
				setRoute({
					destination: `${addresses.node[family]}/${bits[family]}`,
					link: 2,
				}),
				setRoute({
					destination: anywhere[family],
					via: addresses.node[family],
					link: 2,
				}),
			]),
		]);
		carryOutIn(
			node,
			families.map((family) =>
				setRoute({
					destination: `${addresses[name][family]}/${bits[family]}`,
					link,
				}),
			),
		);
	}

	async serve(): Promise<void> {
		for (const name of Object.keys(addresses) as PlaceName[])
			for (const family of families) {
				await this.#serveTcp(name, addresses[name][family]);
				this.#serveUdp(name, addresses[name][family]);
			}
	}

	/**
	 * Resolves when every place has reached the node and heard from it. A link sends nothing before the kernel has noticed, in
	 * its own time, that the other end is up: a connection outlasts that, and a datagram would be lost. On a busy machine it may
	 * even be longer than the kernel asks for a neighbour: then one asks again.
	 */
	async meet(): Promise<void> {
		const meetings = (Object.keys(addresses) as PlaceName[]).flatMap((from) =>
			families.map((family) =>
				eventually(
					() =>
						this.ask(from, "TCP", addresses.node[family], SERVER_PORT).answer,
					(answer) => {
						if (typeof answer !== "object" || !("by" in answer))
							throw new Error(
								`${from} does not reach the node over ${family}: ${JSON.stringify(answer)}`,
							);
					},
				),
			),
		);
		await Promise.all(meetings);
	}

	async #serveTcp(name: PlaceName, address: string): Promise<void> {
		const server = createServer((socket) => {
			const line = `${name} ${socket.remoteAddress}`;
			socket.on("data", () => socket.write(line));
			// A client that is not served any longer may be cut off.
			socket.on("error", () => socket.destroy());
		});
		this.#servers.push(server);
		server.listen({
			fd: listenIn(this.namespaceOf(name), address, SERVER_PORT),
		});
		await once(server, "listening");
	}

	#serveUdp(name: PlaceName, address: string): void {
		const server = udpSocket(address);
		this.#servers.push(server);
		server.on("message", (_question, sender) => {
			server.send(`${name} ${sender.address}`, sender.port, sender.address);
		});
		server.bind({
			fd: bindUdpIn(this.namespaceOf(name), address, SERVER_PORT),
		});
	}

	ask(
		from: PlaceName,
		protocol: Exclude<Protocol, "SCTP">,
		host: string,
		port: number,
	): Question {
		return this.#question(this.converse(from, protocol, host, port));
	}

	converse(
		from: PlaceName,
		protocol: Exclude<Protocol, "SCTP">,
		host: string,
		port: number,
	): Conversation {
		const namespace = this.namespaceOf(from);
		if (protocol === "TCP")
			return this.#opened(streamConversation(namespace, host, port));
		const socket = udpSocket(host);
		socket.bind({
			fd: bindUdpIn(
				namespace,
				isIPv6(host) ? "::" : "0.0.0.0",
				this.#nextPort(),
			),
		});
		return this.#opened(
			datagramConversation(socket, host, port, Buffer.from("?"), (message) =>
				read(message.toString()),
			),
		);
	}

	/** Not one that was used a moment ago: to conntrack its flow would be the same that it was then. */
	#nextPort(): number {
		this.#port = this.#port < LAST_CLIENT_PORT ? this.#port + 1 : CLIENT_PORT;
		return this.#port;
	}

	#opened(conversation: Conversation): Conversation {
		this.#conversations.add(conversation);
		return conversation;
	}

	#question(conversation: Conversation): Question {
		const abandon = () => conversation.close();
		return { answer: conversation.say().finally(abandon), abandon };
	}

	ping(from: PlaceName, host: string): Question {
		const [family, protocol, type] = isIPv6(host)
			? [AF_INET6, 58, 128]
			: [AF_INET, 1, 8];
		// A ping socket: datagrams are echo requests, and the kernel brings back the replies to its own.
		const fd = this.namespaceOf(from).run(() =>
			libc().socket(
				family,
				SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
				protocol,
			),
		);
		const socket = udpSocket(host);
		socket.bind({ fd });
		const request = Buffer.from([type, 0, 0, 0, 0, 0, 0, 1]);
		// The port means nothing, but Node wants one.
		return this.#question(
			this.#opened(
				datagramConversation(socket, host, 1, request, () => "echoed"),
			),
		);
	}

	async close(): Promise<void> {
		for (const conversation of this.#conversations) conversation.close();
		await Promise.all(
			this.#servers.splice(0).map((server) => {
				const closed = once(server, "close");
				server.close();
				return closed;
			}),
		);
		for (const namespace of this.#namespaces.values()) namespace.close();
	}
}

function udpSocket(address: string): UdpSocket {
	return createSocket(isIPv6(address) ? "udp6" : "udp4");
}
