import type {
	LiveAction,
	LiveBalancer,
	LiveCounters,
	LiveHealth,
	LiveListener,
	LiveServer,
	LiveState,
	LiveTarget,
} from "../../fake-cloud/api/live.ts";

const made = "2026-11-23T12:00:00.000Z";

export const counters = (some: Partial<LiveCounters> = {}): LiveCounters => ({
	open: 0,
	total: 0,
	failed: 0,
	bytesIn: 0,
	bytesOut: 0,
	...some,
});

export const health = (
	port: number,
	status: LiveHealth["status"],
	detail: string | null = null,
): LiveHealth => ({ port, transport: "tcp", status, detail, since: made });

export const listener = (
	port: number,
	some: Partial<LiveListener> = {},
): LiveListener => ({
	port,
	transport: "tcp",
	protocol: "tcp",
	engine: "userspace",
	destinationPort: 30_000 + port,
	proxyProtocol: false,
	healthCheck: {
		protocol: "tcp",
		port: 30_000 + port,
		intervalSeconds: 3,
		timeoutSeconds: 2,
		retries: 2,
		path: null,
	},
	state: "serving",
	reason: null,
	counters: counters(),
	...some,
});

/** A server as target, with a health per listener. */
export const target = (
	id: number,
	checks: LiveHealth[],
	some: Partial<LiveTarget> = {},
): LiveTarget => ({
	key: `server:${id}`,
	kind: "server",
	server: { id, name: `node-${id}` },
	selector: null,
	usePrivateAddress: true,
	address: `10.0.0.${id}`,
	problem: null,
	health: checks,
	counters: counters(),
	...some,
});

/** A balancer of Service shop/web with one listener on port 80. */
export const balancer = (
	id: number,
	some: Partial<LiveBalancer> = {},
): LiveBalancer => ({
	id,
	project: "default",
	name: `lb-${id}`,
	labels: {
		"fairlead.dev/service-namespace": "shop",
		"fairlead.dev/service-name": "web",
	},
	created: made,
	location: "fsn1",
	type: "lb11",
	addresses: [`203.0.113.${id}`],
	privateAddresses: [],
	algorithm: "round_robin",
	protected: false,
	lockedBy: null,
	engine: "userspace",
	listeners: [listener(80)],
	targets: [],
	counters: counters(),
	...some,
});

export const action = (
	id: number,
	some: Partial<LiveAction> = {},
): LiveAction => ({
	id,
	project: "default",
	command: "add_target",
	status: "success",
	progress: 100,
	started: made,
	finished: made,
	error: null,
	resources: [],
	stuck: false,
	...some,
});

export const server = (id: number): LiveServer => ({
	id,
	project: "default",
	name: `node-${id}`,
	labels: {},
	status: "running",
	addresses: [],
	privateAddresses: [`10.0.0.${id}`],
	lockedBy: null,
});

export const liveState = (some: Partial<LiveState> = {}): LiveState => ({
	at: made,
	lastEventId: "0",
	engine: { kind: "userspace", reach: "dial", door: "127.0.0.1:1080" },
	projects: ["default"],
	balancers: [],
	servers: [],
	actions: [],
	faults: [],
	...some,
});
