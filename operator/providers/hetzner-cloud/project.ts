import type { Clock } from "../../clock.ts";
import { FairleadError, isFairleadError } from "../../errors.ts";
import type { Log } from "../../log.ts";
import { type Actions, createActions } from "./actions.ts";
import { type CloudBudgets, createCloudBudgets } from "./budget.ts";
import { type CloudHttp, createCloudHttp } from "./http.ts";
import { createInventory, type Inventory } from "./inventory.ts";
import { sharedWork } from "./shared-work.ts";
import { createServers, type Servers } from "./servers.ts";
import { type CloudFeatures, plainHetzner } from "./wanted.ts";
import { answers } from "./wire.ts";

/**
 * What is known of one cloud project through one token. Classes that use the same token share it: one list, one look at
 * what runs, one budget, however many they are.
 */
export interface CloudProject {
	http: CloudHttp;
	actions: Actions;
	inventory: Inventory;
	servers: Servers;
	/** What the cloud can do beyond Hetzner's own; asked once. */
	features(signal: AbortSignal): Promise<CloudFeatures>;
	close(): void;
}

export interface CloudProjectOptions {
	/** Base URL up to and including the version; Hetzner's own if not given. */
	endpoint?: string;
	/** Asked before every call, so that a replaced Secret is taken up. */
	token: () => Promise<string>;
	/** The cluster whose balancers are looked after. */
	clusterId: string;
	clock: Clock;
	/** In [0, 1). */
	random: () => number;
	log: Log;
	/** Shared by all projects, so that one token has one budget. */
	budgets?: CloudBudgets;
	/** Milliseconds for one call. */
	timeoutMs?: number;
}

/** Throws ClassInvalid for an endpoint that is no URL. */
export function createCloudProject(options: CloudProjectOptions): CloudProject {
	const { clock, log, clusterId, random } = options;
	const http = createCloudHttp({
		endpoint: endpointOf(options.endpoint ?? "https://api.hetzner.cloud/v1"),
		token: options.token,
		budgets: options.budgets ?? createCloudBudgets(clock),
		clock,
		log,
		...(options.timeoutMs === undefined
			? {}
			: { timeoutMs: options.timeoutMs }),
	});
	const actions = createActions(http, clock, random);
	const inventory = createInventory(http, actions, clusterId, clock, log);
	const servers = createServers(http, clock);
	let features: CloudFeatures | undefined;
	const learning = sharedWork(async (signal) => {
		features = await learnFeatures(http, signal);
	});
	return {
		http,
		actions,
		inventory,
		servers,
		async features(signal) {
			signal.throwIfAborted();
			if (!features) await learning.join(signal);
			return features ?? plainHetzner;
		},
		close() {
			learning.close();
			inventory.close();
			servers.close();
			actions.close();
			http.close();
		},
	};
}

async function learnFeatures(
	http: CloudHttp,
	signal: AbortSignal,
): Promise<CloudFeatures> {
	try {
		const { capabilities } = await http.call(
			{
				method: "GET",
				path: "/fairlead/capabilities",
				priority: "create",
				signal,
			},
			answers.capabilities,
		);
		return {
			protocols: capabilities.protocols ?? plainHetzner.protocols,
			sourceRanges: capabilities.source_ranges ?? false,
			affinity: capabilities.affinity ?? false,
			batchTargets: capabilities.batch_targets ?? false,
		};
	} catch (error) {
		if (!isFairleadError(error, "CloudNotFound")) throw error;
		return plainHetzner;
	}
}

function endpointOf(endpoint: string): URL {
	const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
	if (url && (url.protocol === "http:" || url.protocol === "https:"))
		return url;
	throw new FairleadError(
		"ClassInvalid",
		`spec.hetznerCloud.endpoint ${JSON.stringify(endpoint)} is no http or https URL; give the API's base with its version, for instance https://api.example.com/v1`,
	);
}

/** Projects in use, by how they are reached. */
export interface CloudProjects {
	/** The project behind `key`, made when nobody uses it yet; gone when everybody released it. */
	use(
		key: string,
		make: () => CloudProject,
	): { project: CloudProject; release: () => void };
}

export function createCloudProjects(): CloudProjects {
	const used = new Map<string, { project: CloudProject; users: number }>();
	return {
		use(key, make) {
			const entry = used.get(key) ?? { project: make(), users: 0 };
			used.set(key, entry);
			entry.users++;
			let released = false;
			return {
				project: entry.project,
				release() {
					if (released) return;
					released = true;
					entry.users--;
					if (entry.users > 0) return;
					used.delete(key);
					entry.project.close();
				},
			};
		},
	};
}
