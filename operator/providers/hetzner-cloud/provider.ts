import type { Clock } from "../../clock.ts";
import { FairleadError, isFairleadError } from "../../errors.ts";
import type { Log } from "../../log.ts";
import type {
	Capabilities,
	DesiredBalancer,
	ObservedBalancer,
} from "../../model/balancer/balancer.ts";
import { cloudLabels } from "../../api/names.ts";
import type { IPFamily, Protocol } from "../../api/core.ts";
import type { Provider } from "../provider.ts";
import { type Actions, createActions } from "./actions.ts";
import { type CloudBudgets, createCloudBudgets } from "./budget.ts";
import { createCreation, type Placement } from "./creation.ts";
import { createDeletion } from "./deletion.ts";
import { touches } from "./diff.ts";
import { createCloudHttp } from "./http.ts";
import { createInventory, type Look } from "./inventory.ts";
import { serviceKey } from "./ownership.ts";
import { createPasses, type Passed } from "./pass.ts";
import { createServers } from "./servers.ts";
import {
	type CloudFeatures,
	plainHetzner,
	type Translation,
	translate,
} from "./wanted.ts";
import { answers, type CloudBalancer } from "./wire.ts";

export interface HetznerCloudOptions {
	/** Base URL up to and including the version; Hetzner's own if not given. */
	endpoint?: string;
	/** Asked before every call, so that a replaced Secret is taken up. */
	token: () => Promise<string>;
	/** Exactly one of `location` (fsn1) and `networkZone` (eu-central). */
	location?: string;
	networkZone?: string;
	/** Name of the load balancer type; lb11 if not given. */
	type?: string;
	/** Id of the network servers are reached through; their public addresses if not given. */
	network?: number;
	/** The cluster whose balancers these are. */
	clusterId: string;
	clock: Clock;
	/** In [0, 1). */
	random: () => number;
	log: Log;
	/** Shared by the providers of all classes, so that one token has one budget. */
	budgets?: CloudBudgets;
	/** Milliseconds for one call. */
	timeoutMs?: number;
}

/**
 * Balancers on the Hetzner Cloud API, or on a cloud that speaks its wire. Throws ClassInvalid for options no balancer
 * can be made with.
 */
export function createHetznerCloud(options: HetznerCloudOptions): Provider {
	const { clock, log, clusterId } = options;
	const placement = placementOf(options);
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
	const actions = createActions(http, clock, options.random);
	const inventory = createInventory(http, actions, clusterId, log);
	const servers = createServers(http, clock);
	const creation = createCreation(http, inventory, actions, placement);
	const passes = createPasses(http, inventory, actions, clock);
	const deletion = createDeletion(http, inventory, actions);
	let features: CloudFeatures | undefined;

	async function learnFeatures(signal: AbortSignal): Promise<CloudFeatures> {
		if (features) return features;
		try {
			const { capabilities } = await http.call(
				{
					method: "GET",
					path: "/fairlead/capabilities",
					priority: "update",
					signal,
				},
				answers.capabilities,
			);
			features = {
				protocols: capabilities.protocols ?? plainHetzner.protocols,
				sourceRanges: capabilities.source_ranges ?? false,
				affinity: capabilities.affinity ?? false,
				batchTargets: capabilities.batch_targets ?? false,
			};
		} catch (error) {
			if (!isFairleadError(error, "CloudNotFound")) throw error;
			features = plainHetzner;
		}
		return features;
	}

	return {
		async capabilities(signal): Promise<Capabilities> {
			const { protocols, sourceRanges, affinity } = await learnFeatures(signal);
			return {
				protocols: protocols.map((each) => each.toUpperCase() as Protocol),
				families: ["IPv4", "IPv6"],
				sourceRanges,
				affinity,
				withoutNodePorts: false,
				addressesFrom: "Provider",
			};
		},

		async ensure(desired, signal) {
			signal.throwIfAborted();
			const { identity } = desired;
			const cloud = await learnFeatures(signal);
			const look: Look = { priority: "update", signal };
			let known = await inventory.get(identity, look);
			await servers.find(desired.targets, signal);
			const translation = translate(
				desired,
				cloud,
				(target) => servers.serverOf(target),
				placement.network !== undefined,
			);
			if (!known) {
				const creating: Look = { priority: "deleteOrCreate", signal };
				known = await inventory.find(identity, creating);
				if (!known) {
					refuseOtherAddresses(desired);
					known = await creation.create(identity, translation.wanted, creating);
				}
			}
			refuseOtherAddresses(desired, known.balancer);
			const passed = await passes.run(
				identity.serviceUid,
				known,
				translation.wanted,
				cloud.batchTargets,
				look,
			);
			if ([...translation.nodes.keys()].some((key) => passed.refused.has(key)))
				servers.doubt();
			return observe(desired, translation, passed, actions);
		},

		async delete(identity, signal) {
			signal.throwIfAborted();
			return await deletion.run(identity, {
				priority: "deleteOrCreate",
				signal,
			});
		},

		async list(cluster, signal) {
			const look: Look = { priority: "audit", signal };
			const balancers = await inventory.list(cluster, look);
			return balancers.flatMap((balancer) => {
				const { labels } = balancer;
				const serviceUid = labels[cloudLabels.serviceUid];
				if (!serviceUid) return [];
				return {
					identity: { clusterId: cluster, serviceUid, name: balancer.name },
					id: String(balancer.id),
					service: {
						namespace: labels[cloudLabels.serviceNamespace] ?? "",
						name: labels[cloudLabels.serviceName] ?? "",
					},
					addresses: addressesOf(balancer, ["IPv4", "IPv6"]),
					createdAt: Date.parse(balancer.created),
					protected: balancer.protection.delete,
				};
			});
		},

		forget: (identity) => inventory.forget(identity.serviceUid),

		async close() {
			inventory.close();
			servers.close();
			actions.close();
			http.close();
		},
	};
}

/** A balancer without a public address waits for a person. */
const addressRetryMs = 60_000;

function observe(
	desired: DesiredBalancer,
	{ ports, nodes, targetProblems }: Translation,
	{ known, refused, waitingFor }: Passed,
	actions: Actions,
): ObservedBalancer {
	const { balancer } = known;
	const changing = new Set(
		actions
			.running(balancer.id)
			.flatMap(({ call }) => (call ? touches(call) : [])),
	);
	const there = new Set(balancer.services.map(serviceKey));
	const observed: ObservedBalancer = {
		id: String(balancer.id),
		addresses: addressesOf(balancer, desired.families),
		// A balancer of this kind opens a connection of its own to the node.
		ipMode: "Proxy",
		ports: desired.listeners.map(({ protocol, port }, at) => {
			const { key, refusal } = ports[at] as Translation["ports"][number];
			const why = refusal ?? refused.get(key);
			if (why)
				return {
					protocol,
					port,
					state: "Refused",
					reason: why.reason,
					message: why.message,
				} as const;
			const state =
				there.has(key) && !changing.has(key) ? "Configured" : "Configuring";
			return { protocol, port, state } as const;
		}),
		targetProblems: [
			...targetProblems,
			...[...nodes].flatMap(([key, node]) => {
				const why = refused.get(key);
				return why ? [{ node, message: why.message }] : [];
			}),
		],
	};
	if (waitingFor !== undefined)
		observed.pending = {
			waitingFor,
			retryAfterMs: actions.nextLook(balancer.id),
		};
	else if (observed.addresses.length === 0) {
		known.stale = true;
		observed.pending = {
			waitingFor: `somebody to enable the public interface of balancer ${balancer.id} in the cloud`,
			retryAfterMs: addressRetryMs,
		};
	}
	return observed;
}

/** Public addresses of the families wanted, in that order. */
function addressesOf(balancer: CloudBalancer, families: IPFamily[]): string[] {
	const { enabled, ipv4, ipv6 } = balancer.public_net;
	if (enabled === false) return [];
	return families.flatMap((family) => {
		const ip = (family === "IPv4" ? ipv4 : ipv6)?.ip;
		return ip ? [ip] : [];
	});
}

function refuseOtherAddresses(
	{ addresses }: DesiredBalancer,
	balancer?: CloudBalancer,
): void {
	const has = balancer ? addressesOf(balancer, ["IPv4", "IPv6"]) : [];
	const canonical = new Set(has.map(canonicalAddress));
	const others = addresses.filter(
		(each) => !canonical.has(canonicalAddress(each)),
	);
	if (others.length === 0) return;
	throw new FairleadError(
		"CloudRefused",
		`${others.join(", ")} cannot be had: this cloud picks a balancer's addresses itself${balancer ? `, and balancer ${balancer.id} has ${has.join(", ") || "none"}` : ""}; do not ask for addresses, or use a class with pools`,
	);
}

function canonicalAddress(address: string): string {
	return address.includes(":") && URL.canParse(`http://[${address}]`)
		? new URL(`http://[${address}]`).hostname
		: address;
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

function placementOf(options: HetznerCloudOptions): Placement {
	const { location, networkZone, type, network } = options;
	if (!location && !networkZone)
		throw new FairleadError(
			"ClassInvalid",
			"spec.hetznerCloud names neither location nor networkZone; set one of them, for instance location: fsn1",
		);
	if (location && networkZone)
		throw new FairleadError(
			"ClassInvalid",
			`spec.hetznerCloud names both location ${location} and networkZone ${networkZone}; keep one: a location lies in its zone`,
		);
	return {
		type: type ?? "lb11",
		...(location ? { location } : {}),
		...(networkZone ? { networkZone } : {}),
		...(network === undefined ? {} : { network }),
	};
}
