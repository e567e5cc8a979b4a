import { once } from "node:events";
import { createServer, type Server as HttpServer } from "node:http";
import { createServer as createTcpServer, type Server } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock } from "../operator/clock.ts";
import { FairleadError } from "../operator/errors.ts";
import type { Log } from "../operator/log.ts";
import { listen } from "../operator/probes/listen.ts";
import { adopt } from "./adopt.ts";
import { Actions } from "./api/actions.ts";
import { createApp } from "./api/app.ts";
import { keepInSync } from "./api/engine-sync.ts";
import type { Follower } from "./api/event-log.ts";
import type { LiveState } from "./api/live.ts";
import { LiveFeed } from "./api/live-feed.ts";
import { ownerRoutes } from "./api/owner-routes.ts";
import { RateLimit } from "./api/rate-limit.ts";
import { createTelemetry } from "./api/telemetry.ts";
import { parseTokenFile, type Token, Tokens } from "./api/tokens.ts";
import { TrafficHistory } from "./api/traffic-history.ts";
import { v1 } from "./api/v1.ts";
import type { Explain } from "./dashboard/pending.ts";
import type { ServiceFeed } from "./dashboard/services/service-feed.ts";
import { dashboard } from "./dashboard/router.ts";
import { type DoorOptions, openDoor } from "./engine/door.ts";
import type { Client, Engine } from "./engine/engine.ts";
import { openKernelEngine } from "./engine/kernel/open.ts";
import { type EngineNetwork, engineNetwork } from "./engine/network.ts";
import {
	UserspaceEngine,
	type UserspaceEngineOptions,
} from "./engine/userspace/engine.ts";
import { Faults } from "./faults/faults.ts";
import { addressRange, contains } from "./store/address-range.ts";
import { Store } from "./store/store.ts";

export interface FakeCloudOptions {
	/** Where API and dashboard listen; absent: 127.0.0.1. */
	host?: string;
	/** Absent or 0: any free one. */
	port?: number;
	/** The folder of the database, or `:memory:`. */
	dataDir: string;
	/** Refuse to grow the database beyond this many bytes; absent: the disk decides. */
	dataLimit?: number;
	/** Who may use the API, or the content of a token file (api/tokens.ts). */
	tokens: readonly Token[] | string;
	/** CIDRs that balancers' addresses come from; absent: 203.0.113.0/24 and 2001:db8:fa1::/64. */
	addressRanges?: { ipv4?: string; ipv6?: string };
	/** Also bind balancers' addresses that are loopback ones; for ranges such as 127.64.0.0/16. */
	listen?: boolean;
	/** Port of the SOCKS5 door to the balancers' addresses, on `host`'s loopback; absent or 0: any free one; false: no door. */
	doorPort?: number | false;
	/** Listeners that are open already, in place of `host`, `port` and `doorPort`; closing the cloud closes them. */
	listeners?: {
		api?: Server;
		/** Sockets by which the API can be reached as well, in whatever network namespace (`listenIn`). */
		also?: readonly { fd: number }[];
		door?: Server;
	};
	/** Where the door's clients get that ask for a name, or an address that no balancer has; absent: nowhere. */
	dialOther?: DoorOptions["dialOther"];
	/** Where connections to targets and checks of them come from, and balancers' addresses are; absent: this machine. */
	network?: Partial<EngineNetwork>;
	/**
	 * Lets the kernel of the network's namespace carry what rules can; absent: this process carries everything. Clients of the
	 * door and of `dial` are then machines at `outside`, whose packets to balancers' addresses come to the namespace.
	 */
	kernel?: { outside: Partial<EngineNetwork> };
	/** Milliseconds from an action's start to its end; absent: 200. */
	actionMs?: number;
	/** How many times faster than said health checks come round; absent: 1. */
	healthCheckSpeed?: number;
	/** Requests per project: what the bucket holds, and what comes back per second; absent: Hetzner's 3600 and 1. */
	rateLimit?: { limit: number; perSecond: number };
	/** Says which Services wait and why, for the dashboard. */
	explain?: Explain;
	/** The cluster's Services, for the dashboard to draw paths down to pods. */
	services?: ServiceFeed;
	clock: Clock;
	/** In [0, 1). */
	random: () => number;
	log: Log;
}

export interface FakeCloud {
	/** `http://127.0.0.1:8080`, without a slash at the end; Hetzner's API is below /v1. */
	readonly url: string;
	readonly port: number;
	/** `127.0.0.1:1080`, or null without a door. */
	readonly door: string | null;
	readonly engine: Engine;
	/** What `GET /fairlead/state` answers. */
	state(): LiveState;
	/** Calls `follower` with every event of `GET /fairlead/events` from now on. */
	follow(follower: Follower): () => void;
	/**
	 * A connection to a balancer's address, as from the network.
	 *
	 * @throws DialError
	 */
	dial(address: string, port: number, client?: Client): Duplex;
	/** Answers what is being asked, then ends everything; the data stay. May be called again. */
	close(): Promise<void>;
}

const defaultRanges = { ipv4: "203.0.113.0/24", ipv6: "2001:db8:fa1::/64" };

/** Servers get documentation and benchmarking addresses, too, unless they say which stands for them. */
const serverRanges = {
	server4: addressRange("198.18.0.0/16"),
	server6: addressRange("2001:db8:5e00::/40", 1n << 64n),
};

/** How long a request under way may take to be answered while the cloud stops. */
const lastAnswersMs = 5_000;

/**
 * Starts a cloud that speaks Hetzner's API, keeps what it is told, and carries its balancers' traffic.
 *
 * @throws FairleadError StoreUnusable, ListenFailed, FlagInvalid; with `kernel` KernelDenied, KernelUnsupported, KernelFailed
 */
export async function startFakeCloud(
	options: FakeCloudOptions,
): Promise<FakeCloud> {
	const { clock, log, random, host = "127.0.0.1" } = options;
	const tokens = new Tokens(
		typeof options.tokens === "string"
			? parseTokenFile(options.tokens)
			: options.tokens,
	);
	const ranges = {
		balancer4: addressRange(options.addressRanges?.ipv4 ?? defaultRanges.ipv4),
		balancer6: addressRange(options.addressRanges?.ipv6 ?? defaultRanges.ipv6),
		...serverRanges,
	};
	/** What to undo, newest first. */
	const undo: (() => void | Promise<void>)[] = [];
	const unwind = async () => {
		for (const step of undo.splice(0).reverse()) await step();
	};
	try {
		const store = new Store({
			dataDir: options.dataDir,
			...(options.dataLimit !== undefined && { maxBytes: options.dataLimit }),
			clock,
			log,
			ranges,
		});
		undo.push(() => store.close());
		let feed: LiveFeed | undefined;
		const engine = openEngine(options, {
			changed: (id) => feed?.onChanged(id),
			counted: (id) => feed?.onCounted(id),
		});
		undo.push(() => engine.close());
		const faults = new Faults(1, () => feed?.onFaults());
		const actions = new Actions({
			store,
			clock,
			log,
			duration: options.actionMs ?? 200,
		});
		undo.push(() => actions.close());
		const history = new TrafficHistory({
			clock,
			engine,
			balancers: () => store.all("load_balancer").map(({ id }) => id),
		});
		undo.push(() => history.close());
		// Before the feed, which shows what the engine makes of a change.
		undo.push(keepInSync(store, engine));
		let door: string | null = null;
		feed = new LiveFeed({
			clock,
			store,
			engine,
			faults,
			projects: tokens.projects(),
			door: () => door,
			epoch: Math.floor(random() * 2 ** 40).toString(36),
		});
		const live = feed;
		undo.push(() => live.close());
		const telemetry = createTelemetry(store, engine);
		let ready = true;
		let closing: Promise<void> | undefined;
		const app = createApp({
			log,
			telemetry,
			ready: () => ready,
			v1: v1({
				cloud: { store, actions, faults, engine, history, random },
				clock,
				tokens,
				rateLimit: new RateLimit({ clock, ...options.rateLimit }),
				telemetry,
			}),
			owner: ownerRoutes({ clock, store, engine, actions, faults, feed }),
			pages: dashboard({
				...(options.explain && { explain: options.explain }),
				...(options.services && { services: options.services }),
				clock,
			}),
		});
		if (options.doorPort !== false) {
			const opened = await openDoor({
				clock,
				log,
				listener: options.listeners?.door,
				dialOther: options.dialOther,
				host: "127.0.0.1",
				port: options.doorPort ?? 0,
				dial: (address, port, client) => engine.dial(address, port, client),
				serves: (address) =>
					contains(ranges.balancer4, address) ||
					contains(ranges.balancer6, address),
			});
			undo.push(() => opened.close());
			door = opened.address;
		}
		const server = createServer(app);
		const given = options.listeners?.api;
		const at = given
			? await adopt(server, given)
			: { host, port: await listen(server, host, options.port ?? 0) };
		const more: Server[] = [];
		undo.push(() => {
			live.endStreams();
			return stop(server, more, clock);
		});
		for (const { fd } of options.listeners?.also ?? [])
			more.push(await alsoOn(fd, server));
		actions.resume();
		return {
			url: `http://${at.host.includes(":") ? `[${at.host}]` : at.host}:${at.port}`,
			port: at.port,
			door,
			engine,
			state: () => live.state(),
			follow: (follower) => live.follow(undefined, follower, () => {}),
			dial: (address, port, client) => engine.dial(address, port, client),
			close() {
				ready = false;
				closing ??= unwind();
				return closing;
			},
		};
	} catch (error) {
		await unwind();
		throw error;
	}
}

function openEngine(
	{
		clock,
		log,
		network,
		kernel,
		listen: bindLoopback = false,
		healthCheckSpeed = 1,
		addressRanges,
	}: FakeCloudOptions,
	told: Required<Pick<UserspaceEngineOptions, "changed" | "counted">>,
): Engine {
	const common = { clock, log, msPerSecond: 1000 / healthCheckSpeed, ...told };
	if (!kernel)
		return new UserspaceEngine({
			...common,
			listen: bindLoopback,
			...(network && { network }),
		});
	const namespace = network?.namespace;
	if (!namespace)
		throw new FairleadError(
			"KernelUnsupported",
			"the kernel carries balancers only in a network namespace of the cloud's own",
		);
	return openKernelEngine({
		...common,
		network: { ...network, namespace },
		outside: engineNetwork(kernel.outside),
		ranges: [
			addressRanges?.ipv4 ?? defaultRanges.ipv4,
			addressRanges?.ipv6 ?? defaultRanges.ipv6,
		],
	});
}

/** Hands what comes in at a socket that listens to `server`. */
async function alsoOn(fd: number, server: HttpServer): Promise<Server> {
	const more = createTcpServer((socket) => server.emit("connection", socket));
	more.listen({ fd });
	await once(more, "listening");
	return more;
}

/** Requests under way are answered, by whichever listener they came; idle connections are closed. */
async function stop(
	server: HttpServer,
	more: readonly Server[],
	clock: Clock,
): Promise<void> {
	const closed = [server, ...more].map((each) => once(each, "close"));
	for (const each of more) each.close();
	server.close();
	const cancel = clock.after(lastAnswersMs, () => server.closeAllConnections());
	await Promise.all(closed);
	cancel();
}
