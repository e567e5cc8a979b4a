/**
 * What `GET /fairlead/state` answers and `GET /fairlead/events` streams: the fake cloud as its owner sees it, all
 * projects at once, without a token. These shapes are ours, not Hetzner's; the dashboard and tests build on them.
 *
 * The stream is server-sent events. Every event has an `id` (opaque), an `event` (a key of {@link LiveEvents}) and one
 * line of JSON `data` (that key's type). Read the state, then open the stream with its `lastEventId`, either as the
 * header `Last-Event-ID` (what EventSource sends when it reconnects) or as the query `?lastEventId=`: nothing is missed.
 * Without either it starts with what happens next. An id that is unknown, from before a restart or older than the replay
 * buffer is answered by `reset`: read the state again and go on from there on the same stream.
 *
 * Times are ISO 8601 in UTC. Ids are Hetzner's int64 ids.
 */
export interface LiveState {
	at: string;
	/** Everything up to and including this event is in the state. */
	lastEventId: string;
	engine: LiveEngine;
	/** Names of the projects; each has tokens of its own. */
	projects: string[];
	/** By id. */
	balancers: LiveBalancer[];
	/** By id. */
	servers: LiveServer[];
	/** Newest first: all that run, and the last ones that ended, 200 at most together. */
	actions: LiveAction[];
	/** In the order in which they are tried. */
	faults: LiveFault[];
}

export interface LiveEvents {
	/** A balancer is new or anything about it but counters changed; the whole of it. */
	balancer: LiveBalancer;
	"balancer-removed": { id: number };
	server: LiveServer;
	"server-removed": { id: number };
	/** An action is new, got on or ended; progress is sent at most four times a second. */
	action: LiveAction;
	/** All the faults there are now. */
	faults: LiveFault[];
	/** Counters that moved since the last such event; at most once a second. */
	counters: LiveCountersUpdate;
	/** The stream cannot be resumed from the id given: read the state again. `lastEventId` says what it must include. */
	reset: { reason: string; lastEventId: string };
}

export type LiveEventName = keyof LiveEvents;

export interface LiveEngine {
	kind: "userspace" | "kernel";
	/** `dial`: addresses are reached through the SOCKS5 door only; `listen`: also bound on this machine. */
	reach: "dial" | "listen";
	/** `127.0.0.1:PORT` of the SOCKS5 door, for `curl -x socks5h://…`. */
	door: string | null;
}

export interface LiveBalancer {
	id: number;
	project: string;
	name: string;
	labels: Record<string, string>;
	created: string;
	location: string;
	type: string;
	/** IPv4 first; empty while the public interface is disabled. */
	addresses: string[];
	privateAddresses: string[];
	algorithm: "round_robin" | "least_connections";
	/** Deletion is refused. */
	protected: boolean;
	/** The running action that locks it. */
	lockedBy: number | null;
	/** Which engine carries what it can of it; a listener says which carries it. */
	engine: "userspace" | "kernel";
	/** By port, TCP first. */
	listeners: LiveListener[];
	/** In the order in which they were added; servers a label selector matches stand in its place. */
	targets: LiveTarget[];
	counters: LiveCounters;
}

export interface LiveListener {
	port: number;
	/** With the port, one of a kind within its balancer: what its packets are. */
	transport: "tcp" | "udp";
	protocol: "tcp" | "udp" | "http" | "https";
	/** What carries it: where the balancer's addresses differ, the first of them. */
	engine: "userspace" | "kernel";
	destinationPort: number;
	proxyProtocol: boolean;
	healthCheck: {
		protocol: "tcp" | "http";
		port: number;
		intervalSeconds: number;
		timeoutSeconds: number;
		retries: number;
		/** For http. */
		path: string | null;
	};
	/** `failed`: the port could not be opened on an address; `reason` says why. */
	state: "serving" | "failed";
	reason: string | null;
	counters: LiveCounters;
}

export interface LiveTarget {
	/** `server:42` or `ip:192.0.2.7`: one of a kind within its balancer. */
	key: string;
	kind: "server" | "ip";
	server: { id: number; name: string } | null;
	/** The label selector that brought it in. */
	selector: string | null;
	usePrivateAddress: boolean;
	/** Where its connections go; null when it has no such address, and `problem` says so. */
	address: string | null;
	problem: string | null;
	/** One per listener, by port. */
	health: LiveHealth[];
	counters: LiveCounters;
}

export interface LiveHealth {
	/** The listener's. */
	port: number;
	transport: "tcp" | "udp";
	/** `unknown` until the first checks are in; such a target gets connections only when none is healthy. */
	status: "healthy" | "unhealthy" | "unknown";
	/** The last failure, for people. */
	detail: string | null;
	/** When the status became what it is. */
	since: string;
}

/**
 * Since the fake cloud started. Of UDP, a connection is what one client's port and a target say to each other, until a
 * silence. Bytes are payload (whole IP packets where the kernel carries them): `in` from clients to targets, `out` back.
 */
export interface LiveCounters {
	open: number;
	total: number;
	/** Connections that no target could be had for, or, where the kernel carries them, that their target never answered. */
	failed: number;
	bytesIn: number;
	bytesOut: number;
}

export interface LiveCountersUpdate {
	balancers: {
		id: number;
		counters: LiveCounters;
		/** Only those that moved. */
		listeners: {
			port: number;
			transport: "tcp" | "udp";
			counters: LiveCounters;
		}[];
		/** Only those that moved. */
		targets: { key: string; counters: LiveCounters }[];
	}[];
}

export interface LiveServer {
	id: number;
	project: string;
	name: string;
	labels: Record<string, string>;
	status: string;
	addresses: string[];
	privateAddresses: string[];
	lockedBy: number | null;
}

export interface LiveAction {
	id: number;
	project: string;
	command: string;
	status: "running" | "success" | "error";
	/** 0–100. */
	progress: number;
	started: string;
	finished: string | null;
	error: { code: string; message: string } | null;
	resources: { id: number; type: string }[];
	/** A fault keeps it from ending. */
	stuck: boolean;
}

/** A fault as `GET /fairlead/faults` gives it: what was put, and what became of it. */
export interface LiveFault extends Fault {
	/** Requests or actions it has met so far. */
	hits: number;
}

/**
 * Something to go wrong. `PUT /fairlead/faults` takes `{"faults": [Fault…], "seed"?: number}` and replaces all there
 * were, but one put again as it was, with its id, goes on counting; `DELETE` clears them. Several may match one request: latencies add up, of the others the first wins.
 */
export interface Fault {
	/** Given back; chosen when absent. */
	id?: string;
	/** Which requests under /v1: all when absent. For `action-…` kinds, the request that starts the action. */
	match?: {
		/** `GET`, `POST`…; any case. */
		method?: string;
		/** A regular expression on the path, which starts with /v1. */
		path?: string;
		/** The project's name. */
		project?: string;
	};
	/** Ends after so many hits; absent: never. */
	count?: number;
	/** 0–1, drawn from the seeded generator per match; absent: 1. */
	probability?: number;
	/** Skips the first so many matches. */
	after?: number;
	effect: FaultEffect;
}

export type FaultEffect =
	/** Waits before the request is looked at, plus up to `jitterMs` drawn from the seeded generator. */
	| { kind: "latency"; ms: number; jitterMs?: number }
	/** Answers so and does nothing else; `retryAfterSeconds` becomes the header Retry-After. */
	| {
			kind: "error";
			status: number;
			code?: string;
			message?: string;
			retryAfterSeconds?: number;
	  }
	/** 429 rate_limit_exceeded, RateLimit-Remaining 0. */
	| { kind: "rate-limit" }
	/** Answers 200 with this body (default: half a JSON document). */
	| { kind: "garbage"; body?: string; contentType?: string }
	/** Does all the request asks for, commits it, and resets the connection instead of answering. */
	| { kind: "drop-response" }
	/** Resets the connection before anything is done. */
	| { kind: "drop-request" }
	/** The action it starts runs until this fault is gone, then ends as it would have. */
	| { kind: "action-stuck" }
	/** The action it starts ends in error and without effect. */
	| { kind: "action-failed"; code?: string; message?: string }
	/** At most so many of the resource in a project: more is resource_limit_exceeded. */
	| {
			kind: "quota";
			resource: "load_balancer" | "server" | "network";
			limit: number;
	  };

/**
 * Something done behind a client's back, as if by another in the cloud's console: `POST /fairlead/edits`. It is done at
 * once, whether an action runs on the resource or not, and answered with the state of the resource afterwards:
 * `{"balancer": LiveBalancer | null}` or `{"server": LiveServer | null}`, null when it is gone.
 */
export interface Edit {
	/** Of a balancer or a server. */
	id: number;
	edit:
		| { do: "delete" }
		| { do: "update"; name?: string; labels?: Record<string, string> }
		/** Without a transport, of TCP. */
		| { do: "delete_service"; port: number; transport?: "tcp" | "udp" }
		/** The key of a LiveTarget that was added by itself, not by a label selector. */
		| { do: "remove_target"; key: string }
		| {
				do: "change_algorithm";
				algorithm: "round_robin" | "least_connections";
		  }
		| { do: "change_protection"; on: boolean }
		| { do: "set_public_interface"; on: boolean }
		/** Of a server. */
		| { do: "set_status"; status: "running" | "off" };
}
