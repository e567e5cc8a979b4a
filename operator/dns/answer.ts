import { type DnsRecord, type Question, rcodes, types } from "./message.ts";
import { foldName, relativeTo, splitName } from "./names.ts";
import { soaRecord, type Zone, type ZoneName } from "./zone.ts";

/** What our zones know of a question. */
export interface Answer {
	rcode: number;
	answers: DnsRecord[];
	authorities: DnsRecord[];
	additionals: DnsRecord[];
	/** The name outside our zones that the last alias points to: who can ask for it, goes on there. */
	outside?: string;
}

/** Aliases followed at most; CoreDNS gives up after ten too. */
const longestChain = 10;

/**
 * Answers a question from the zones, the longest fitting one, following aliases from zone to zone. Undefined when the
 * name is in none of them, or in a shared one that does not know it while `hasUpstream`. A loop of aliases is answered
 * with its aliases, each once.
 *
 * @param random Shuffles records of one type, in [0, 1).
 */
export function answerFrom(
	zones: readonly Zone[],
	{ name, type }: Question,
	random: () => number,
	hasUpstream: boolean,
): Answer | undefined {
	const answer: Answer = {
		rcode: rcodes.NOERROR,
		answers: [],
		authorities: [],
		additionals: [],
	};
	const seen = new Set<string>();
	let owner = name;
	for (;;) {
		const known = lookUp(zones, owner, hasUpstream);
		if (!known) {
			if (seen.size === 0) return undefined;
			return { ...answer, outside: owner };
		}
		const { zone, found } = known;
		if (found?.alias !== undefined) {
			const data = { type: types.CNAME, name: found.alias };
			answer.answers.push({ name: owner, ttl: found.ttl ?? zone.ttl, data });
			seen.add(foldName(owner));
			const over = seen.size > longestChain || seen.has(foldName(found.alias));
			if (over || type === types.CNAME || type === types.ANY) return answer;
			owner = found.alias;
			continue;
		}
		addRecords(answer, zone, found, owner, type, random);
		return answer;
	}
}

function addRecords(
	answer: Answer,
	zone: Zone,
	found: ZoneName | undefined,
	owner: string,
	type: number,
	random: () => number,
): void {
	const asked = type === types.ANY ? firstType(found) : type;
	const records = found?.records?.(asked) ?? [];
	for (const data of shuffled(records, random))
		answer.answers.push({ name: owner, ttl: found?.ttl ?? zone.ttl, data });
	if (!found) answer.rcode = rcodes.NXDOMAIN;
	if (records.length === 0) answer.authorities.push(soaRecord(zone));
	else answer.additionals.push(...(found?.additional?.(asked) ?? []));
}

/** ANY gets the records of one type (RFC 8482 section 4.1). */
function firstType(found: ZoneName | undefined): number {
	const order = [
		types.A,
		types.AAAA,
		types.PTR,
		types.TXT,
		types.SOA,
		types.SRV,
	];
	return order.find((type) => found?.records?.(type).length) ?? types.A;
}

function lookUp(
	zones: readonly Zone[],
	name: string,
	hasUpstream: boolean,
): { zone: Zone; found: ZoneName | undefined } | undefined {
	const folded = foldName(name);
	let best: { zone: Zone; relative: string } | undefined;
	for (const zone of zones) {
		const relative = relativeTo(folded, zone.name);
		if (
			relative !== undefined &&
			(!best || relative.length < best.relative.length)
		)
			best = { zone, relative };
	}
	if (!best) return undefined;
	const { zone, relative } = best;
	const found = zone.find(relative === "" ? [] : splitName(relative));
	const ours = relative !== "" && found?.records !== undefined;
	return zone.shared && hasUpstream && !ours ? undefined : { zone, found };
}

/** In random order (Fisher and Yates), so that clients that take the first spread. */
function shuffled<T>(items: T[], random: () => number): T[] {
	if (items.length < 2) return items;
	const mixed = [...items];
	for (let last = mixed.length - 1; last > 0; last--) {
		const other = Math.floor(random() * (last + 1));
		[mixed[last], mixed[other]] = [mixed[other] as T, mixed[last] as T];
	}
	return mixed;
}
