import type { ListedBalancer } from "../balancer/balancer.ts";
import { balancerIdentity } from "../balancer/identity.ts";

/** What one list of balancers showed: everything of this cluster in one cloud project. */
export interface Listed {
	/** What tells this list from another; providers with the same one list the same balancers. */
	source: string;
	/** BalancerClasses that make balancers there. */
	classes: string[];
	balancers: ListedBalancer[];
}

/** A Service that has, or may have, a balancer. */
export interface Holder {
	uid: string;
	/** The BalancerClass that holds its balancer; undefined: not recorded. */
	className: string | undefined;
}

/** A balancer of this cluster that no Service has. */
export interface Orphan {
	source: string;
	/** A class through which it can be reached. */
	className: string;
	balancer: ListedBalancer;
	/** One clause, why it is one. */
	why: string;
}

/** What tells a balancer from every other, also of another cloud: ids are unique within one cloud only. */
export function balancerKey({
	id,
	identity,
	createdAt,
}: ListedBalancer): string {
	return `${id} ${identity.name} ${createdAt}`;
}

/**
 * Balancers whose Service is gone, and those a Service left behind when it moved to a class of another project. A list
 * that could not be read proves nothing: the balancer a Service does have may stand in it.
 */
export function findOrphans(
	lists: Listed[],
	holders: Iterable<Holder>,
): Orphan[] {
	const services = new Map<string, Holder>();
	for (const holder of holders) services.set(holder.uid, holder);
	const found = new Map<string, Orphan>();
	for (const { source, classes, balancers } of lists)
		for (const balancer of balancers) {
			const key = balancerKey(balancer);
			// Two tokens of one project show the same balancer twice.
			if (found.has(key)) continue;
			const { serviceUid } = balancer.identity;
			const service = services.get(serviceUid);
			const why = service
				? leftBehind(balancer, service, lists)
				: "no Service has its UID";
			if (why !== undefined)
				found.set(key, { source, className: classes[0] ?? "", balancer, why });
		}
	return [...found.values()];
}

/** Why a balancer is not the one its Service has; undefined: it may well be. */
function leftBehind(
	balancer: ListedBalancer,
	{ uid, className }: Holder,
	lists: Listed[],
): string | undefined {
	const home = lists.find(
		({ classes }) => className !== undefined && classes.includes(className),
	);
	if (!home) return undefined;
	const there = home.balancers.filter(
		({ identity }) => identity.serviceUid === uid,
	);
	const [own] = there;
	if (!own || there.some((each) => balancerKey(each) === balancerKey(balancer)))
		return undefined;
	return `its Service has balancer ${own.id} of class ${className} instead`;
}

export interface OrphanPolicy {
	/** False: they are reported and left alone. */
	delete: boolean;
	/** The cluster's id was given by somebody: nothing is deleted on the strength of a guessed one. */
	explicitClusterId: boolean;
	/** How long a balancer has to be an orphan, and to exist. */
	graceMs: number;
	/** How many may be deleted at once although that is a good part of all; 0: nobody confirmed any. */
	confirmed: number;
}

export interface Judged {
	orphan: Orphan;
	do: "delete" | "wait" | "keep";
	/** A sentence for whoever reads the log: what happens to it, and what to do. Holds nothing that changes by itself. */
	say: string;
}

export interface Judging {
	orphans: Orphan[];
	/** Everything the lists showed. */
	lists: Listed[];
	clusterId: string;
	policy: OrphanPolicy;
	/** Milliseconds since the epoch. */
	now: number;
	/** For how many milliseconds a balancer is known as an orphan, by `balancerKey`; undefined: seen for the first time. */
	knownFor: (key: string) => number | undefined;
}

/** Deletes never more than these at once without somebody's word. */
const few = 3;
const share = 0.1;

/** What is to become of each orphan. */
export function judgeOrphans(judging: Judging): Judged[] {
	const judged = judging.orphans.map((orphan) => judge(orphan, judging));
	const due = judged.filter((each) => each.do === "delete").length;
	const all = new Set(
		judging.lists.flatMap(({ balancers }) => balancers.map(balancerKey)),
	).size;
	const most = Math.max(few, Math.floor(all * share), judging.policy.confirmed);
	if (due <= most) return judged;
	return judged.map((each) =>
		each.do === "delete"
			? {
					...each,
					do: "keep",
					say: `it is left alone: ${due} of ${all} balancers are orphans at once, which looks like a mistake; if it is none, restart the controller with --confirm-orphans=${due}`,
				}
			: each,
	);
}

function judge(orphan: Orphan, judging: Judging): Judged {
	const { policy, now, knownFor, clusterId, lists } = judging;
	const { balancer } = orphan;
	const { serviceUid, name } = balancer.identity;
	const keep = (say: string): Judged => ({ orphan, do: "keep", say });
	if (balancer.protected)
		return keep(
			"it is left alone: it is protected from deletion; lift the protection, or leave it",
		);
	if (name !== balancerIdentity(clusterId, serviceUid).name)
		return keep(
			"it is left alone: somebody renamed it, and may use it; delete it by hand, or remove its labels fairlead.dev/…",
		);
	const namesakes = lists
		.filter(({ source }) => source === orphan.source)
		.flatMap(({ balancers }) => balancers)
		.filter(({ identity }) => identity.serviceUid === serviceUid);
	if (namesakes.length > 1)
		return keep(
			"it is left alone: another balancer carries the same labels; delete by hand the one nobody needs",
		);
	if (!policy.delete)
		return keep(
			"it is left alone; delete it by hand, or run the controller with --delete-orphans",
		);
	if (!policy.explicitClusterId)
		return keep(
			"it is left alone: --delete-orphans needs --cluster-id, so that nobody else's balancers are taken for this cluster's",
		);
	const age = now - balancer.createdAt;
	const known = knownFor(balancerKey(balancer));
	if (known === undefined || known < policy.graceMs || age < policy.graceMs)
		return {
			orphan,
			do: "wait",
			say: "it is deleted when it has been one for the time --orphan-grace gives",
		};
	return { orphan, do: "delete", say: "it is being deleted" };
}
