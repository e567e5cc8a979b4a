import {
	foreignLabels,
	isListener,
	ownedParts,
	ownsLabels,
	type PartKey,
	serviceKey,
	targetKey,
} from "./ownership.ts";
import type {
	CloudBalancer,
	CloudService,
	CloudTarget,
	OwnTarget,
} from "./wire.ts";

/** One writing call to a balancer that is there. */
export type Change =
	| { do: "update"; name: string; labels: Record<string, string> }
	| { do: "delete_service"; service: CloudService }
	| { do: "update_service"; service: CloudService }
	| { do: "add_service"; service: CloudService }
	| { do: "add_targets"; targets: OwnTarget[] }
	| { do: "remove_targets"; targets: OwnTarget[] }
	| { do: "change_algorithm"; type: string }
	| { do: "change_type"; type: string };

/** Anything the cloud can be working on for us. */
export type Call =
	| Change
	| { do: "create"; services: CloudService[]; targets: OwnTarget[] };

/** What a balancer should be, in the wire's words; only what Fairlead decides about. */
export interface WantedBalancer {
	name: string;
	/** Whose it is. */
	labels: Record<string, string>;
	algorithm: string;
	/** Name of its type; absent: whatever it has. */
	type?: string;
	services: CloudService[];
	targets: OwnTarget[];
}

export interface Difference {
	/** In the order in which they have to be made; none: it is as it should be. */
	calls: Change[];
	/** Wanted listeners whose port somebody else's listener holds. */
	taken: CloudService[];
}

/**
 * The calls that make `observed` what is `wanted`, leaving alone what somebody else put there. `remembered` are parts
 * this process knows to be ours although the labels no longer say so (somebody wiped them).
 *
 * Order: the list of our parts grows before a part is added; listeners go before others come, since a balancer type
 * allows only so many; targets come before others go, so that there is always one to serve; a listener's entry leaves
 * the list some time after the listener, lest a port somebody opens later is taken for ours. A target's entry is left
 * until the next write, since every node that leaves would cost one more call per balancer. `lingering` are entries that
 * stay although nobody wants the part any more: a call that adds it may still be on its way.
 */
export function diff(
	observed: CloudBalancer,
	wanted: WantedBalancer,
	remembered: ReadonlySet<PartKey>,
	batch = false,
	lingering: ReadonlySet<PartKey> = new Set(),
): Difference {
	const listed = ownedParts(observed.labels);
	const ours = new Set([...listed, ...remembered]);
	const present = new Map(observed.services.map((s) => [serviceKey(s), s]));
	const taken = wanted.services.filter((service) => {
		const there = present.get(serviceKey(service));
		return (
			there && !ours.has(serviceKey(there)) && !sameService(there, service)
		);
	});
	const services = wanted.services.filter((each) => !taken.includes(each));
	const keep = new Set<PartKey>([
		...services.map(serviceKey),
		...keysOf(wanted.targets),
	]);
	const leaving = {
		services: observed.services.filter(
			(each) => ours.has(serviceKey(each)) && !keep.has(serviceKey(each)),
		),
		targets: observed.targets.filter((each): each is OwnTarget => {
			const key = targetKey(each);
			return key !== undefined && ours.has(key) && !keep.has(key);
		}),
	};
	const calls: Change[] = [];
	const after = new Set([...keep, ...lingering]);
	const during = new Set([
		...after,
		...leaving.services.map(serviceKey),
		...keysOf(leaving.targets),
	]);
	const unlisted = [...during].some(
		(key) => !listed.has(key) && !lingering.has(key),
	);
	const drifted =
		observed.name !== wanted.name ||
		Object.entries(wanted.labels).some(
			([name, value]) => observed.labels[name] !== value,
		);
	const relabel = (parts: Iterable<PartKey>): Change => ({
		do: "update",
		name: wanted.name,
		labels: {
			...foreignLabels(observed.labels),
			...wanted.labels,
			...ownsLabels(parts),
		},
	});
	const listing = unlisted || drifted ? during : listed;
	if (unlisted || drifted) calls.push(relabel(during));
	if (observed.algorithm.type !== wanted.algorithm)
		calls.push({ do: "change_algorithm", type: wanted.algorithm });
	for (const service of leaving.services)
		calls.push({ do: "delete_service", service });
	// After what goes, before what comes: a smaller type needs room, a larger one gives it.
	const type = observed.load_balancer_type?.name;
	if (type !== undefined && wanted.type !== undefined && type !== wanted.type)
		calls.push({ do: "change_type", type: wanted.type });
	for (const service of services) {
		const there = present.get(serviceKey(service));
		if (!there) calls.push({ do: "add_service", service });
		else if (!sameService(there, service))
			calls.push({ do: "update_service", service });
	}
	const there = new Set(keysOf(observed.targets));
	const coming = wanted.targets.filter(
		(each) => !there.has(targetKey(each) as PartKey),
	);
	for (const targets of portions(coming, batch))
		calls.push({ do: "add_targets", targets });
	for (const targets of portions(leaving.targets, batch))
		calls.push({ do: "remove_targets", targets });
	if ([...listing].some((key) => isListener(key) && !after.has(key)))
		calls.push(relabel(after));
	return { calls, taken };
}

/** The balancer after the cloud did what a call asks, however often; taken for true until somebody says otherwise. */
export function effect(balancer: CloudBalancer, call: Call): CloudBalancer {
	switch (call.do) {
		case "create":
			return { ...balancer, services: call.services, targets: call.targets };
		case "update":
			return { ...balancer, name: call.name, labels: call.labels };
		case "change_algorithm":
			return { ...balancer, algorithm: { type: call.type } };
		case "change_type":
			return { ...balancer, load_balancer_type: { name: call.type } };
		case "delete_service":
			return { ...balancer, services: without(balancer, call.service) };
		case "add_service":
		case "update_service":
			return {
				...balancer,
				services: [...without(balancer, call.service), call.service],
			};
		case "add_targets":
		case "remove_targets": {
			const named = new Set(keysOf(call.targets));
			const others = balancer.targets.filter(
				(each) => !named.has(targetKey(each) ?? ""),
			);
			return {
				...balancer,
				targets:
					call.do === "add_targets" ? [...others, ...call.targets] : others,
			};
		}
	}
}

/** The parts a call puts there or takes away. */
export function touches(call: Call): PartKey[] {
	const services =
		"service" in call
			? [call.service]
			: "services" in call
				? call.services
				: [];
	return [
		...services.map(serviceKey),
		...("targets" in call ? keysOf(call.targets) : []),
	];
}

/** Equal in everything Fairlead sets; what the cloud adds by itself does not count. */
export function sameService(a: CloudService, b: CloudService): boolean {
	const x = a.health_check;
	const y = b.health_check;
	return (
		a.protocol === b.protocol &&
		a.listen_port === b.listen_port &&
		a.destination_port === b.destination_port &&
		(a.proxyprotocol ?? false) === (b.proxyprotocol ?? false) &&
		x.protocol === y.protocol &&
		x.port === y.port &&
		x.interval === y.interval &&
		x.timeout === y.timeout &&
		x.retries === y.retries &&
		(x.protocol !== "http" || x.http?.path === y.http?.path) &&
		(a.affinity_seconds ?? 0) === (b.affinity_seconds ?? 0) &&
		(a.source_ranges ?? []).join() === (b.source_ranges ?? []).join()
	);
}

function without(balancer: CloudBalancer, service: CloudService) {
	return balancer.services.filter(
		(each) => serviceKey(each) !== serviceKey(service),
	);
}

function keysOf(targets: CloudTarget[]): PartKey[] {
	return targets.map(targetKey).filter((key) => key !== undefined);
}

function portions(targets: OwnTarget[], batch: boolean): OwnTarget[][] {
	if (targets.length === 0) return [];
	return batch ? [targets] : targets.map((each) => [each]);
}
