import type { HeldAddress } from "../../api/fairlead.ts";
import { timeOf, timeText } from "../../clock.ts";
import type { Hold } from "./address-book.ts";
import { formatIp, parseIp } from "./ip.ts";

/** Entries of a pool's `status.held`: what its Services left behind, and for how long nobody else gets it. */

/** A pool keeps this many: some 200 bytes each, so that its status stays far below the 1.5 MiB that etcd takes. */
export const heldLimit = 1000;

/** An address somebody is about to leave, or has left. */
export interface Left {
	/** Canonical. */
	address: string;
	/** Who leaves it, `namespace/name`. */
	service: string;
	retentionMs: number;
	/** Nodes announce it, so it must not be handed out before they have all stopped. */
	announced: boolean;
}

/** An agent that announces addresses: how far its rules have got. */
export interface Announcer {
	node: string;
	/** The Services resourceVersion its report says is in force; absent: it has not reported yet. */
	reached?: string;
}

/** What the pool must keep of an address that is left at `nowMs` (milliseconds since the epoch). */
export function heldEntries(left: Left, nowMs: number): HeldAddress[] {
	const { address, service } = left;
	const entries: HeldAddress[] = [];
	if (left.announced) entries.push({ address, service, reason: "Releasing" });
	if (left.retentionMs > 0)
		entries.push({
			address,
			service,
			reason: "Retained",
			until: timeText(nowMs + left.retentionMs),
		});
	return entries;
}

/**
 * `held` with `fresh` entries at its end. What is noted already stays as it is, so that a repetition prolongs nothing. An
 * address has one entry of a reason: that of who left it last. What goes beyond the limit is not kept, and so is free.
 */
export function addHeld(
	held: readonly HeldAddress[],
	fresh: readonly HeldAddress[],
	limit = heldLimit,
): HeldAddress[] {
	let next = [...held];
	for (const entry of fresh) {
		const known = next.find((each) => isSame(each, entry));
		if (known?.service === entry.service) continue;
		next = next.filter((each) => each !== known);
		if (next.length < limit) next.push(entry);
	}
	return next;
}

/** Those of `held` that still count at `nowMs`. */
export function standingHeld(
	held: readonly HeldAddress[],
	nowMs: number,
	announcers: readonly Announcer[],
): HeldAddress[] {
	return held.filter((entry) =>
		entry.reason === "Retained"
			? timeOf(entry.until ?? "") > nowMs
			: !isReleased(entry, announcers),
	);
}

/**
 * Whether no node can announce the address any more: every agent that announces has put a Services resourceVersion in
 * force that is at least that of the release. A node that is gone has no agent. Before the release has a
 * resourceVersion, it has not happened.
 */
export function isReleased(
	{ released }: HeldAddress,
	announcers: readonly Announcer[],
): boolean {
	if (announcers.length === 0) return true;
	return (
		released !== undefined &&
		announcers.every(
			({ reached }) =>
				reached !== undefined && BigInt(reached) >= BigInt(released),
		)
	);
}

/** Milliseconds since the epoch when the first of `held` expires; undefined when none does by itself. */
export function nextExpiry(held: Iterable<HeldAddress>): number | undefined {
	let next: number | undefined;
	for (const { reason, until = "" } of held) {
		if (reason !== "Retained") continue;
		const at = timeOf(until);
		if (next === undefined || at < next) next = at;
	}
	return next;
}

/** How the allocator keeps the address out of use. */
export function holdOf({ reason, service, until }: HeldAddress): Hold {
	if (reason === "Releasing")
		return {
			code: reason,
			message: `was held by ${service}, and some node may still announce it`,
		};
	const [namespace = "", name = ""] = service.split("/");
	return {
		code: reason,
		message: `is kept for ${service} until ${until}`,
		for: { namespace, name },
	};
}

/** What was read from a status anybody may have written to; what is no entry is left out. */
export function readHeld(held: unknown): HeldAddress[] {
	if (!Array.isArray(held)) return [];
	return held.filter((entry: Partial<HeldAddress> | null) => {
		const address = parseIp(String(entry?.address));
		if (!address.ok || formatIp(address.value) !== entry?.address) return false;
		if (!/^[^/]+\/[^/]+$/.test(String(entry.service))) return false;
		if (entry.reason === "Releasing")
			return entry.released === undefined || /^\d+$/.test(entry.released);
		return (
			entry.reason === "Retained" && !Number.isNaN(timeOf(String(entry.until)))
		);
	}) as HeldAddress[];
}

function isSame(a: HeldAddress, b: HeldAddress): boolean {
	return a.address === b.address && a.reason === b.reason;
}
