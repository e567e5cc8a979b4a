import { FairleadError, isFairleadError } from "../../errors.ts";
import type {
	Capabilities,
	DesiredBalancer,
	ObservedBalancer,
} from "../../model/balancer/balancer.ts";
import { cloudLabels } from "../../api/names.ts";
import type { IPFamily, Protocol } from "../../api/core.ts";
import type { Provider } from "../provider.ts";
import type { Actions } from "./actions.ts";
import { createAdoption } from "./adoption.ts";
import { createCreation, type Placement } from "./creation.ts";
import { createDeletion } from "./deletion.ts";
import { touches, type WantedBalancer } from "./diff.ts";
import type { Known, Look } from "./inventory.ts";
import { serviceKey } from "./ownership.ts";
import { createPasses, type Passed, typePart } from "./pass.ts";
import {
	type CloudProjectOptions,
	type CloudProjects,
	createCloudProject,
	createCloudProjects,
} from "./project.ts";
import { type Translation, translate } from "./wanted.ts";
import type { CloudBalancer } from "./wire.ts";

/** How a project is reached, and what a class says of the balancers made in it. */
export type HetznerCloudOptions = CloudProjectOptions & ClassOptions;

export interface ClassOptions {
	/** Exactly one of `location` (fsn1) and `networkZone` (eu-central). */
	location?: string;
	networkZone?: string;
	/** Name of the load balancer type; lb11 if not given. */
	type?: string;
	/** Id of the network servers are reached through; their public addresses if not given. */
	network?: number;
}

/**
 * Balancers on the Hetzner Cloud API, or on a cloud that speaks its wire. Throws ClassInvalid for options no balancer
 * can be made with.
 */
export function createHetznerCloud(
	options: HetznerCloudOptions,
	projects: CloudProjects = createCloudProjects(),
	/** Providers with the same one share what they know; see CloudProject. */
	source = "",
): Provider {
	const placement = placementOf(options);
	const { project, release } = projects.use(source, () =>
		createCloudProject(options),
	);
	const { http, actions, inventory, servers } = project;
	const creation = createCreation(http, inventory, actions, placement);
	const adoption = createAdoption(http, inventory);
	const passes = createPasses(http, inventory, actions, options.clock);
	const deletion = createDeletion(http, inventory, actions);
	/**
	 * Services whose balancer was looked for, and not made for want of calls: it need not be looked for again, unless `adopt`
	 * has become another.
	 */
	const lookedFor = new Map<string, DesiredBalancer["adopt"]>();

	async function make(
		desired: DesiredBalancer,
		wanted: WantedBalancer,
		signal: AbortSignal,
	): Promise<Known> {
		const { identity, adopt } = desired;
		const by = identity.serviceUid;
		const look: Look = { priority: "create", by, signal };
		const looked = lookedFor.has(by) && lookedFor.get(by) === adopt;
		lookedFor.delete(by);
		const found = looked
			? undefined
			: ((await inventory.find(identity, look)) ??
				(adopt && (await adoption.adopt(identity, wanted, adopt, look))));
		if (found) return found;
		refuseOtherAddresses(desired);
		try {
			return await creation.create(identity, wanted, look);
		} catch (error) {
			// The name is unique in the cloud: should somebody have made it meanwhile, the create says so.
			if (isFairleadError(error, "CloudRateLimited")) lookedFor.set(by, adopt);
			throw error;
		}
	}

	return {
		async capabilities(signal): Promise<Capabilities> {
			const { protocols, sourceRanges, affinity } =
				await project.features(signal);
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
			const cloud = await project.features(signal);
			const by = identity.serviceUid;
			const look: Look = { priority: "update", by, signal };
			let known = await inventory.get(identity, look);
			await servers.find(desired.targets, signal);
			const translation = translate(
				desired,
				cloud,
				(target) => servers.serverOf(target),
				placement.network !== undefined,
			);
			const wanted: WantedBalancer = {
				...translation.wanted,
				...(options.type === undefined ? {} : { type: options.type }),
			};
			known ??= await make(desired, wanted, signal);
			refuseOtherAddresses(desired, known.balancer);
			const passed = await passes.run(
				by,
				known,
				wanted,
				cloud.batchTargets,
				look,
			);
			if ([...translation.nodes.keys()].some((key) => passed.refused.has(key)))
				servers.doubt();
			const observed = observe(desired, translation, passed, actions);
			const kept = keptOf(passed, placement);
			return kept === undefined ? observed : { ...observed, kept };
		},

		async delete(identity, signal) {
			signal.throwIfAborted();
			lookedFor.delete(identity.serviceUid);
			return await deletion.run(identity, {
				priority: "delete",
				by: identity.serviceUid,
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
			release();
		},
		source,
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

/** What the class asks for and the balancer cannot become. */
function keptOf(
	{ known, refused }: Passed,
	{ location, networkZone }: Placement,
): string | undefined {
	const { id, location: at } = known.balancer;
	const elsewhere =
		location !== undefined && at && at.name !== location
			? `it is in location ${at.name}, the class says ${location}`
			: networkZone !== undefined && at && at.network_zone !== networkZone
				? `it is in network zone ${at.network_zone}, the class says ${networkZone}`
				: undefined;
	const said = [
		...(elsewhere === undefined
			? []
			: [
					`${elsewhere}; a balancer cannot move, recreate the Service to have one there, with another address`,
				]),
		...(refused.has(typePart)
			? [`its type stays: ${refused.get(typePart)?.message}`]
			: []),
	];
	return said.length > 0 ? `balancer ${id}: ${said.join("; ")}` : undefined;
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
