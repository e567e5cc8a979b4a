import { cloudLabels } from "../../api/names.ts";
import { isFairleadError } from "../../errors.ts";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { BalancerIdentity } from "../../model/balancer/balancer.ts";
import type { Actions } from "./actions.ts";
import type { Caller } from "./budget.ts";
import { effect } from "./diff.ts";
import type { CloudHttp } from "./http.ts";
import { createLookup } from "./lookup.ts";
import { holder, ownedParts, type PartKey } from "./ownership.ts";
import { readPages } from "./pages.ts";
import { sharedWork } from "./shared-work.ts";
import type { Refusal } from "./wanted.ts";
import { answers, type CloudAction, type CloudBalancer } from "./wire.ts";

/** What is known of one balancer of ours. */
export interface Known {
	balancer: CloudBalancer;
	/** Parts this process knows to be ours. */
	ours: Set<PartKey>;
	/** Parts of ours that are no longer wanted, since when (monotonic milliseconds). */
	unwanted: Map<PartKey, number>;
	/** It has to be read again before anything is decided. */
	stale: boolean;
	/** Monotonic time at which the cloud last said how it is. */
	readAt: number;
	/** Nobody asked yet whether the cloud is still working on it for another process. */
	unsure: boolean;
	/** A delete was accepted. */
	deleting: boolean;
	/** What the cloud would not do, until when (monotonic milliseconds) it is not asked again. */
	refusals: Map<PartKey, Refusal & { until: number }>;
}

/**
 * What Fairlead knows of the balancers of one cluster: one list at first use, kept true by the answers of its own
 * writes, read again where somebody says so. Absence here proves nothing; creating and deleting look at the cloud.
 */
export interface Inventory {
	/** The Service's balancer, read again if that is due; undefined: none known. */
	get(identity: BalancerIdentity, look: Look): Promise<Known | undefined>;
	/** Looks for the Service's balancer on the cloud, by label. */
	find(identity: BalancerIdentity, look: Look): Promise<Known | undefined>;
	/** Balancers that carry this label with this value, whosever they are. */
	labelled(label: string, value: string, look: Look): Promise<CloudBalancer[]>;
	/** Whatever has the balancer's name, ours or not. */
	findByName(name: string, look: Look): Promise<CloudBalancer | undefined>;
	/** Reads one balancer again; undefined, and forgotten: it is gone. */
	reread(uid: string, look: Look): Promise<Known | undefined>;
	/** The same for many in few calls: who asks together is answered together. */
	refresh(uid: string, look: Look): Promise<Known | undefined>;
	/** Whether it was read so short a while ago that a write may be built on it. */
	isFresh(uid: string): boolean;
	/** Remembers an answer of the cloud. */
	put(uid: string, balancer: CloudBalancer): Known;
	/** Remembers what the cloud will make of what it accepted. */
	expect(uid: string, balancer: CloudBalancer): void;
	drop(uid: string): void;
	/** All balancers labelled with a cluster's id, read freshly. */
	list(clusterId: string, look: Look): Promise<CloudBalancer[]>;
	forget(uid: string): void;
	close(): void;
}

export type Look = Caller;

/** Values of one label in one request: they fit into a page and into a URL. */
const perLookup = 50;
/** Labels read within this time may be written back. */
const freshMs = 500;

export function createInventory(
	http: CloudHttp,
	actions: Actions,
	clusterId: string,
	clock: Clock,
	log: Log,
): Inventory {
	const known = new Map<string, Known>();
	let filled = false;
	/** For each list that is being read, what changed after it began and it may not show. */
	const listing = new Set<Set<string>>();

	function changed(uid: string): void {
		for (const each of listing) each.add(uid);
	}

	const filling = sharedWork(async (signal) => {
		const look: Look = { priority: "create", signal };
		// Work another process, perhaps our predecessor, has started. First this, then the balancers: what ends in between
		// is then read again, instead of taken for not done.
		const running = await readActions("/load_balancers/actions", look);
		const balancers = await readAll(cloudLabels.cluster, clusterId, look);
		for (const balancer of balancers) remember(balancer);
		const ours = new Set([...known.values()].map((each) => each.balancer.id));
		for (const action of running)
			for (const { id, type } of action.resources)
				if (type === "load_balancer" && ours.has(id))
					actions.follow(id, action);
		for (const each of known.values()) each.unsure = false;
		filled = true;
	});

	function readActions(path: string, look: Look): Promise<CloudAction[]> {
		return readPages(
			http,
			{ path, query: [["status", "running"]], ...look },
			answers.actions,
			(answer) => answer.actions,
		);
	}

	async function followRunning(each: Known, look: Look): Promise<void> {
		const { id } = each.balancer;
		try {
			const path = `/load_balancers/${id}/actions`;
			for (const action of await readActions(path, look))
				actions.follow(id, action);
		} catch (error) {
			if (!isFairleadError(error, "CloudNotFound")) throw error;
			each.stale = true;
		}
		each.unsure = false;
	}

	function readAll(label: string, value: string, look: Look) {
		return readSelected(`${label}=${value}`, look);
	}

	function readSelected(selector: string, look: Look) {
		return readPages(
			http,
			{
				path: "/load_balancers",
				query: [["label_selector", selector]],
				...look,
			},
			answers.balancers,
			(answer) => answer.load_balancers,
		);
	}

	/** Reads that serve many stand in nobody's place. */
	function lookupBy(label: string) {
		return createLookup<CloudBalancer>(perLookup, async (values, signal) => {
			const look: Look = { priority: "create", signal };
			const [only = ""] = values;
			const selector =
				values.length === 1
					? `${label}=${only}`
					: `${label} in (${values.join(",")})`;
			const found = new Map<string, CloudBalancer[]>();
			for (const balancer of await readSelected(selector, look)) {
				const value = balancer.labels[label] ?? "";
				found.set(value, [...(found.get(value) ?? []), balancer]);
			}
			return found;
		});
	}

	const lookups = new Map<string, ReturnType<typeof lookupBy>>();

	function labelled(label: string, value: string, { signal }: Look) {
		const lookup = lookups.get(label) ?? lookupBy(label);
		lookups.set(label, lookup);
		return lookup.get(value, signal);
	}

	const refreshing = createLookup<CloudBalancer>(
		perLookup,
		async (uids, signal) => {
			if (uids.length === 1) return new Map();
			const label = cloudLabels.serviceUid;
			const look: Look = { priority: "update", signal };
			const selector = `${label} in (${uids.join(",")})`;
			const found = new Map<string, CloudBalancer[]>();
			for (const balancer of await readSelected(selector, look)) {
				const uid = balancer.labels[label] ?? "";
				if (known.get(uid)?.balancer.id === balancer.id)
					found.set(uid, [balancer]);
			}
			return found;
		},
	);

	/** Files a balancer of this cluster under its Service; the older one if there are two. */
	function remember(balancer: CloudBalancer): void {
		const uid = balancer.labels[cloudLabels.serviceUid];
		if (balancer.labels[cloudLabels.cluster] !== clusterId || !uid) return;
		const there = known.get(uid);
		if (there && there.balancer.id !== balancer.id) {
			log.warn(
				{ serviceUid: uid, balancers: [there.balancer.id, balancer.id] },
				"two balancers carry one Service's label; the older one is used",
			);
			if (there.balancer.id < balancer.id) return;
		}
		put(uid, balancer);
	}

	function put(uid: string, balancer: CloudBalancer): Known {
		const entry = file(uid, balancer);
		entry.readAt = clock.monotonic();
		return entry;
	}

	function file(uid: string, balancer: CloudBalancer): Known {
		changed(uid);
		// What the cloud is still working on is not in its answer yet.
		let now = balancer;
		for (const { call } of actions.running(balancer.id))
			if (call) now = effect(now, call);
		const there = known.get(uid);
		const ours = ownedParts(balancer.labels);
		if (there?.balancer.id === balancer.id) {
			there.balancer = now;
			// An empty list is one that somebody wiped.
			if (ours.size > 0) there.ours = ours;
			return there;
		}
		const entry: Known = {
			balancer: now,
			ours,
			unwanted: new Map(),
			stale: false,
			readAt: Number.NEGATIVE_INFINITY,
			unsure: true,
			deleting: false,
			refusals: new Map(),
		};
		known.set(uid, entry);
		return entry;
	}

	async function reread(uid: string, look: Look): Promise<Known | undefined> {
		const there = known.get(uid);
		if (!there) return undefined;
		there.stale = false;
		try {
			const { load_balancer } = await http.call(
				{
					method: "GET",
					path: `/load_balancers/${there.balancer.id}`,
					...look,
				},
				answers.balancer,
			);
			return put(uid, load_balancer);
		} catch (error) {
			there.stale = true;
			if (!isFairleadError(error, "CloudNotFound")) throw error;
			drop(uid);
			return undefined;
		}
	}

	function drop(uid: string): void {
		const there = known.get(uid);
		if (!there) return;
		changed(uid);
		actions.forget(there.balancer.id);
		known.delete(uid);
	}

	async function listOurs(look: Look): Promise<CloudBalancer[]> {
		const since = new Set<string>();
		listing.add(since);
		try {
			const balancers = await readAll(cloudLabels.cluster, clusterId, look);
			const listed = new Set(balancers.map((each) => each.id));
			const before = new Set(since);
			for (const balancer of balancers) {
				const uid = balancer.labels[cloudLabels.serviceUid] ?? "";
				if (!before.has(uid)) remember(balancer);
			}
			// Gone, or its labels are: reading it by id tells.
			for (const [uid, each] of known)
				if (!listed.has(each.balancer.id) && !before.has(uid))
					each.stale = true;
			return balancers;
		} finally {
			listing.delete(since);
		}
	}

	return {
		async get(identity, look) {
			if (!filled) await filling.join(look.signal);
			const there = known.get(identity.serviceUid);
			// In this order, for the same reason as at first.
			if (there?.unsure) await followRunning(there, look);
			return there?.stale ? await reread(identity.serviceUid, look) : there;
		},
		async find(identity, look) {
			const uid = identity.serviceUid;
			const balancers = await labelled(cloudLabels.serviceUid, uid, look);
			const ours = balancers
				.filter((each) => holder(each, identity) === "ours")
				.sort((a, b) => a.id - b.id);
			const [first] = ours;
			if (!first) return undefined;
			const entry = put(uid, first);
			entry.stale = false;
			if (entry.unsure) await followRunning(entry, look);
			return entry;
		},
		async findByName(name, look) {
			const { load_balancers } = await http.call(
				{
					method: "GET",
					path: "/load_balancers",
					query: [["name", name]],
					...look,
				},
				answers.balancers,
			);
			return load_balancers.find((each) => each.name === name);
		},
		labelled,
		reread,
		async refresh(uid, look) {
			const [fresh] = await refreshing.get(uid, look.signal);
			// Alone, or no longer labelled: by its id it is found all the same.
			return fresh ? put(uid, fresh) : await reread(uid, look);
		},
		isFresh: (uid) =>
			clock.monotonic() - (known.get(uid)?.readAt ?? Number.NEGATIVE_INFINITY) <
			freshMs,
		put,
		expect: (uid, balancer) => void file(uid, balancer),
		drop,
		list: (cluster, look) =>
			cluster === clusterId
				? listOurs(look)
				: readAll(cloudLabels.cluster, cluster, look),
		forget(uid) {
			const there = known.get(uid);
			if (!there) return;
			there.stale = true;
			there.refusals.clear();
		},
		close() {
			filling.close();
			refreshing.close();
			for (const lookup of lookups.values()) lookup.close();
		},
	};
}
