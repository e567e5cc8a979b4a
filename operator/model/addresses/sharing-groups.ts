import type { IPFamily } from "../../api/core.ts";
import type { Entry, Holder } from "./address-book.ts";
import { sharingGroup } from "./sharing.ts";

/** Addresses that share, by group and family, with how many of them use each port. */
interface Group {
	entries: Set<Entry>;
	ports: Map<string, number>;
}

/** Which addresses the Services of a sharing group stand on, and who uses which port there. */
export class SharingGroups {
	readonly #groups = new Map<string, Group>();

	*joinable(
		group: string,
		family: IPFamily,
		ports: readonly string[],
	): Iterable<Entry> {
		const known = this.#groups.get(groupKey(group, family));
		if (!known) return;
		// The common hopeless case, everybody on the same port, is seen without looking at the addresses.
		if (ports.some((port) => known.ports.get(port) === known.entries.size))
			return;
		for (const entry of known.entries)
			if (!ports.some((port) => entry.ports?.has(port))) yield entry;
	}

	/** Enters what the holder brings to an address it stands on: its group, if it is alone there, and its ports. */
	share(entry: Entry, holder: Holder): void {
		if (entry.holders.length === 1) entry.group = sharingGroup(holder.request);
		if (entry.group === undefined) return;
		const key = groupKey(entry.group, entry.address.family);
		const group = this.#groups.get(key) ?? {
			entries: new Set(),
			ports: new Map(),
		};
		this.#groups.set(key, group);
		group.entries.add(entry);
		entry.ports ??= new Map();
		for (const port of holder.request.ports) {
			if (entry.ports.has(port)) continue;
			entry.ports.set(port, holder);
			group.ports.set(port, (group.ports.get(port) ?? 0) + 1);
		}
	}

	/** Undoes `share`; `others` is how many holders are left. */
	unshare(entry: Entry, holder: Holder, others: number): void {
		if (entry.group === undefined) return;
		const key = groupKey(entry.group, entry.address.family);
		const group = this.#groups.get(key) as Group;
		for (const port of holder.request.ports) {
			if (entry.ports?.get(port) !== holder) continue;
			entry.ports.delete(port);
			const left = (group.ports.get(port) as number) - 1;
			if (left > 0) group.ports.set(port, left);
			else group.ports.delete(port);
		}
		if (others > 0) return;
		entry.group = undefined;
		entry.ports = undefined;
		group.entries.delete(entry);
		if (group.entries.size === 0) this.#groups.delete(key);
	}
}

function groupKey(group: string, family: IPFamily): string {
	return `${family}${group}`;
}
