import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { get } from "node:http";
import { createServer, type Server } from "node:net";
import { text } from "node:stream/consumers";
import { connectIn, listenIn } from "../../operator/kernel/sockets.ts";
import {
	networkSetting,
	setNetworkSettings,
} from "../../operator/kernel/sysctl.ts";
import { startAgentProcess } from "../support/agent-process.ts";
import { apiInNamespace } from "../support/api-in-namespace.ts";
import type { Cluster } from "../support/cluster.ts";
import { startKubeProxy } from "../support/kube-proxy.ts";
import {
	createPacketWorld,
	type PacketWorld,
	type PlaceName,
} from "../support/packet-world.ts";
import { nodeName } from "./kube-proxy-differential-desk.ts";

/** Where pod-1 and pod-2 have a second server, whose answers name the port. */
const SECOND_PORT = 8081;
const podCidrs = ["10.244.0.0/16", "2001:db8:244::/48"];

const strayNets = {
	ip: "10.96.0.0/16, 198.51.100.0/23, 203.0.113.0/24",
	ip6: "fd00:10:96::/112, 2001:db8:100::/64, 2001:db8:101::/64, 2001:db8:113::/64",
};

/** The next router keeps account of packets for addresses of Services that left the node as they came. */
const nextRouter = (["ip", "ip6"] as const)
	.map(
		(family) => `table ${family} router {
	set strays {
		type ipv${family === "ip" ? 4 : 6}_addr . ipv${family === "ip" ? 4 : 6}_addr . inet_proto . inet_service
		flags dynamic
		size 65535
	}
	set resets {
		type ipv${family === "ip" ? 4 : 6}_addr . inet_service
		flags dynamic
		size 65535
	}
	chain arriving {
		type filter hook prerouting priority -300;
		${family} daddr { ${strayNets[family]} } meta l4proto { tcp, udp } update @strays { ${family} saddr . ${family} daddr . meta l4proto . th dport }
		tcp flags & rst == rst update @resets { ${family} saddr . tcp sport }
	}
}
`,
	)
	.join("");

/** A packet world whose node one of the two proxies serves. */
export class Side {
	readonly world: PacketWorld;
	readonly #closers: (() => unknown)[] = [];
	#metricsPort = 0;

	private constructor(world: PacketWorld) {
		this.world = world;
		this.#closers.push(() => world.close());
	}

	/** A world in which the API server is within the node's reach, and no limit swallows a refusal. */
	static async prepare(cluster: Cluster): Promise<Side> {
		const side = new Side(await createPacketWorld());
		for (const place of places)
			setNetworkSettings(side.world.namespaceOf(place), {
				"ipv4/icmp_ratemask": 0,
				"ipv6/icmp/ratemask": "\n",
				// After seven seconds without an answer nobody waits for another.
				"ipv4/tcp_syn_retries": 2,
			});
		side.#nftIn("outside", ["-f", "-"], nextRouter);
		for (const pod of ["pod-1", "pod-2"] as const)
			for (const family of ["IPv4", "IPv6"] as const)
				await side.#serveSecond(pod, side.world.addressOf(pod, family));
		const api = await apiInNamespace(
			side.world.namespaceOf("node"),
			cluster.server,
		);
		side.#closers.push(() => api.close());
		return side;
	}

	/** Resolves when the proxy has written its rules for what the API server holds. */
	async startFairlead(cluster: Cluster): Promise<void> {
		const agent = startAgentProcess({
			namespace: this.world.namespaceOf("node"),
			node: nodeName,
			kubeconfig: cluster.kubeconfigPath,
			args: ["--cluster-cidr", podCidrs.join(",")],
		});
		this.#closers.push(() => agent.process.kill("SIGKILL"));
		await agent.synced;
		const { probes } = await agent.process.logged(
			({ msg }) => msg === "the agent is running",
		);
		this.#metricsPort = Number(probes);
	}

	/** As `startFairlead`. */
	async startKubeProxy(cluster: Cluster): Promise<void> {
		const proxy = startKubeProxy({
			namespace: this.world.namespaceOf("node"),
			node: nodeName,
			kubeconfig: cluster.kubeconfigPath,
			clusterCidrs: podCidrs,
			// Its defaults, which are settings of the node's own namespace.
			args: [
				"--conntrack-tcp-timeout-established=24h0m0s",
				"--conntrack-tcp-timeout-close-wait=1h0m0s",
			],
		});
		this.#closers.push(() => proxy.kill());
		await proxy.synced;
		this.#metricsPort = 10249;
	}

	/** See the function of this name. */
	async startBlind(
		kubeconfig: string,
		name: "kube-proxy" | "Fairlead",
	): Promise<void> {
		const namespace = this.world.namespaceOf("node");
		if (name === "Fairlead") {
			const { process } = startAgentProcess({
				namespace,
				node: nodeName,
				kubeconfig,
			});
			this.#closers.push(() => process.kill("SIGKILL"));
			await process.logged(({ msg }) => msg === "the agent is running");
			return;
		}
		const proxy = startKubeProxy({
			namespace,
			node: nodeName,
			kubeconfig,
			clusterCidrs: podCidrs,
		});
		this.#closers.push(() => proxy.kill());
		await proxy.logged(/"Starting service config controller"/);
	}

	/** The flows that have left the node as they came: `192.0.2.10 203.0.113.10 TCP 80`. */
	strays(): ReadonlySet<string> {
		return this.#recorded("strays");
	}

	/** From which addresses and ports outside was sent resets: `203.0.113.10 80`. */
	resets(): ReadonlySet<string> {
		return this.#recorded("resets");
	}

	#recorded(set: string): ReadonlySet<string> {
		return new Set(
			(["ip", "ip6"] as const).flatMap((family) => {
				const { nftables } = JSON.parse(
					this.#nftIn("outside", ["-j", "list", "set", family, "router", set]),
				) as { nftables: { set?: { elem?: { concat: string[] }[] } }[] };
				return nftables.flatMap(({ set }) =>
					(set?.elem ?? []).map(({ concat }) => concat.join(" ").toUpperCase()),
				);
			}),
		);
	}

	/** A network setting of the node. */
	setting(path: string): string {
		return networkSetting(this.world.namespaceOf("node"), path);
	}

	/** What the proxy's metrics say. */
	metrics(): Promise<string> {
		return this.get(this.#metricsPort, "/metrics").then(({ body }) => body);
	}

	/** Asks the node's own loopback. */
	get(
		port: number,
		path: string,
	): Promise<{ status: number | undefined; body: string }> {
		const host = "127.0.0.1";
		const namespace = this.world.namespaceOf("node");
		return new Promise((resolve, reject) => {
			get(
				{
					host,
					port,
					path,
					createConnection: () => connectIn(namespace, { host, port }),
				},
				(response) => {
					text(response).then(
						(body) => resolve({ status: response.statusCode, body }),
						reject,
					);
				},
			).on("error", reject);
		});
	}

	/** What nft prints on the node. */
	nft(...args: string[]): string {
		return this.#nftIn("node", args);
	}

	async close(): Promise<void> {
		for (const close of this.#closers.splice(0).reverse()) await close();
	}

	#nftIn(place: PlaceName, args: string[], input = ""): string {
		const { status, stdout, stderr } = this.world
			.namespaceOf(place)
			.run(() => spawnSync("nft", args, { input, encoding: "utf8" }));
		if (status !== 0) throw new Error(`nft ${args.join(" ")}: ${stderr}`);
		return stdout;
	}

	async #serveSecond(pod: PlaceName, address: string): Promise<void> {
		const server: Server = createServer((socket) => {
			socket.on("data", () =>
				socket.write(`${pod}:${SECOND_PORT} ${socket.remoteAddress}`),
			);
			// A client that is not served any longer may be cut off.
			socket.on("error", () => socket.destroy());
		});
		server.listen({
			fd: listenIn(this.world.namespaceOf(pod), address, SECOND_PORT),
		});
		await once(server, "listening");
		this.#closers.push(() => server.close());
	}
}

/** A proxy that may read Nodes alone, and so never writes rules; resolves when it runs. */
export async function startBlind(
	cluster: Cluster,
	kubeconfig: string,
	name: "kube-proxy" | "Fairlead",
): Promise<Side> {
	const side = await Side.prepare(cluster);
	await side.startBlind(kubeconfig, name);
	return side;
}

const places: readonly PlaceName[] = [
	"outside",
	"node",
	"pod-1",
	"pod-2",
	"pod-3",
];
