import { randomInt } from "node:crypto";
import type { Socket as UdpSocket } from "node:dgram";
import type { AddressInfo, Server } from "node:net";
import { Registry } from "prom-client";
import type { Clock } from "../clock.ts";
import type { KubeClient } from "../cluster/kube.ts";
import type { Log } from "../log.ts";
import { recordAddress } from "./addresses.ts";
import { clusterZone } from "./cluster-zone.ts";
import { externalZone } from "./external-zone.ts";
import { listenOn } from "./listening.ts";
import { dnsMetrics } from "./metrics.ts";
import { foldName } from "./names.ts";
import { createResponder } from "./responder.ts";
import { reverseZone } from "./reverse-zone.ts";
import { ServiceIndex } from "./service-index.ts";
import { type DnsSource, watchCluster } from "./sources.ts";
import { type tcpDefaults, TcpService } from "./tcp-service.ts";
import { UdpService } from "./udp-service.ts";
import { type SocketAddress, Upstreams } from "./upstreams.ts";
import type { Zone } from "./zone.ts";

export interface DnsOptions {
	/** Caches that others keep, or a client to keep some of its own. */
	cluster:
		| { stores: DnsSource }
		| { client: Pick<KubeClient, "list" | "watch"> };
	/** Addresses to open, each for UDP and TCP; port 0 takes one that is free for both. */
	listen?: readonly SocketAddress[];
	/** Sockets already bound and servers that listen or will, beside `listen`; `close` closes them. */
	udp?: readonly UdpSocket[];
	tcp?: readonly Server[];
	/** The cluster's zone, as cluster.local. */
	zone: string;
	/** The zone of balancer addresses, if there is to be one. */
	externalZone?: string;
	/** Resolvers for all other names; without them those are refused. */
	upstreams?: readonly SocketAddress[];
	/** Default `insecure`, as kubeadm configures CoreDNS. */
	pods?: "insecure" | "disabled";
	/** Seconds; default 5. */
	ttl?: number;
	/** IP addresses clients reach this server by, such as the cluster IP of kube-dns; default those of `listen`. */
	addresses?: readonly string[];
	clock: Clock;
	/** In [0, 1); shuffles answers. */
	random: () => number;
	/** An id nobody can guess, for queries to upstreams; default from the system's entropy. */
	queryId?: () => number;
	log: Log;
	metrics?: Registry;
	tuning?: Partial<typeof tcpDefaults>;
}

export interface DnsServer {
	/** Where `listen` listens. */
	addresses: SocketAddress[];
	/** Resolves when the cluster's names are complete; before that they are answered with SERVFAIL. */
	ready: Promise<void>;
	/** Why it is not ready, one reason a line; empty when it is. */
	notReady(): string[];
	/** Answers what is under way and stops; resolves when nothing of it runs any more. */
	close(): Promise<void>;
}

/**
 * Serves the cluster's names over UDP and TCP. Throws ListenFailed; nothing stays open then.
 *
 * @example
 * const dns = await startDns({ cluster: { client }, listen: [{ host: "127.0.0.1", port: 53 }], zone: "cluster.local", clock, random, log });
 * await dns.ready;
 */
export async function startDns(options: DnsOptions): Promise<DnsServer> {
	const { clock, log, random } = options;
	const opened = await openAll(options.listen ?? []);
	const addresses = opened.map(({ tcp }) => {
		const { address, port } = tcp.address() as AddressInfo;
		return { host: address, port };
	});
	const metrics = dnsMetrics(options.metrics ?? new Registry());
	const upstreams =
		options.upstreams && options.upstreams.length > 0
			? new Upstreams({
					addresses: options.upstreams,
					clock,
					log,
					metrics,
					queryId: options.queryId ?? (() => randomInt(65_536)),
				})
			: undefined;
	const watched =
		"client" in options.cluster
			? watchCluster({ client: options.cluster.client, clock, random, log })
			: undefined;
	const source =
		"stores" in options.cluster
			? options.cluster.stores
			: (watched as DnsSource);
	const index = new ServiceIndex(source, clock);
	let complete = false;
	const ready = source.synced.then(() => {
		complete = true;
	});
	const respond = createResponder({
		zones: zonesOf(index, options, addresses),
		upstreams,
		random,
		isComplete: () => complete,
		metrics,
	});
	const udp = [...(options.udp ?? []), ...opened.map((one) => one.udp)].map(
		(socket) => new UdpService({ socket, respond, metrics, log }),
	);
	const tcp = [...(options.tcp ?? []), ...opened.map((one) => one.tcp)].map(
		(server) =>
			new TcpService({
				server,
				respond,
				clock,
				metrics,
				log,
				...(options.tuning ? { tuning: options.tuning } : {}),
			}),
	);
	metrics.watch({
		services: () => index.size,
		connections: () => tcp.reduce((sum, one) => sum + one.connections, 0),
	});
	return {
		addresses,
		ready,
		// An API server that goes away later makes nothing of this wrong at once, and names are needed all the more.
		notReady: () => (complete ? [] : ["the cluster has not been read yet"]),
		async close() {
			await Promise.all([...udp, ...tcp].map((service) => service.close()));
			upstreams?.close();
			index.close();
			await watched?.stop();
		},
	};
}

function zonesOf(
	index: ServiceIndex,
	options: DnsOptions,
	listening: SocketAddress[],
): Zone[] {
	const { ttl = 5, pods = "insecure" } = options;
	const name = foldName(options.zone);
	const external = options.externalZone && foldName(options.externalZone);
	const nameServer = (options.addresses ?? listening.map(({ host }) => host))
		.map(recordAddress)
		.filter((address) => address !== undefined)
		.filter(({ bytes }) => bytes.some((byte) => byte !== 0));
	return [
		clusterZone(index, { name, ttl, pods, nameServer }),
		...(external
			? [externalZone(index, { name: external, ttl, nameServer })]
			: []),
		...(["IPv4", "IPv6"] as const).map((family) =>
			reverseZone(index, {
				family,
				ttl,
				clusterZone: name,
				...(external ? { externalZone: external } : {}),
			}),
		),
	];
}

async function openAll(addresses: readonly SocketAddress[]) {
	const opened: Awaited<ReturnType<typeof listenOn>>[] = [];
	try {
		for (const address of addresses) opened.push(await listenOn(address));
		return opened;
	} catch (error) {
		for (const { udp, tcp } of opened) {
			udp.close();
			tcp.close();
		}
		throw error;
	}
}
