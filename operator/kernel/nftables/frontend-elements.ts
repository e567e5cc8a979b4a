import type { Backend, Frontend } from "../../model/rules/program.ts";
import { addressBytes } from "../address-bytes.ts";
import type { Element } from "./elements.ts";
import {
	endpointData,
	endpointNumber,
	numberWord,
	serviceKey,
	slotKey,
} from "./keys.ts";
import {
	affineEndpoints,
	affineIds,
	learningSetName,
} from "./affinity-rules.ts";
import { type Scope, scopes, sourcesSetName } from "./skeleton.ts";

/** Elements to take away from sets and to add to them, by the set's name. */
export interface ElementChanges {
	deleted: Map<string, Element[]>;
	added: Map<string, Element[]>;
}

export function noChanges(): ElementChanges {
	return { deleted: new Map(), added: new Map() };
}

export function put(
	into: Map<string, Element[]>,
	set: string,
	element: Element,
): void {
	const elements = into.get(set);
	if (elements) elements.push(element);
	else into.set(set, [element]);
}

/**
 * Adds to `changes` what differs in a table's sets between two states of one frontend. The work is that of the difference,
 * but for one comparison per endpoint.
 */
export function changeFrontend(
	changes: ElementChanges,
	before: Frontend | undefined,
	after: Frontend | undefined,
): void {
	const either = after ?? before;
	if (!either) return;
	const key = serviceKey(either);
	changeSingles(changes, key, before, after);
	for (const scope of ["everybody", "inside"] as const)
		changeSlots(
			changes,
			scope,
			key,
			endpointsOf(before, scope) ?? [],
			endpointsOf(after, scope) ?? [],
		);
	changeAffine(changes, key, before, after);
	changeSources(changes, key, before?.sourceRanges, after?.sourceRanges);
}

function endpointsOf(
	frontend: Frontend | undefined,
	scope: Scope,
): readonly Backend[] | undefined {
	return scope === "everybody"
		? frontend?.endpoints
		: frontend?.internalEndpoints;
}

/** What a frontend has at most one element of, by set. */
function singles(frontend: Frontend): Map<string, number | undefined> {
	const { endpoints, internalEndpoints, affinitySeconds } = frontend;
	const found = new Map<string, number | undefined>();
	if (endpoints.length > 0)
		found.set(scopes.everybody.services, endpoints.length);
	if (internalEndpoints)
		found.set(scopes.inside.services, internalEndpoints.length);
	if (endpoints.length === 0 || internalEndpoints?.length === 0)
		found.set(`no-endpoints-${frontend.whenEmpty}`, undefined);
	if (endpoints.length > 0 || internalEndpoints?.length)
		found.set(`masquerade-${frontend.masquerade}`, undefined);
	if (frontend.sourceRanges) found.set("restricted", undefined);
	if (affinitySeconds !== undefined) {
		found.set("affine", undefined);
		found.set(learningSetName(affinitySeconds), undefined);
	}
	return found;
}

const nothing: ReadonlyMap<string, number | undefined> = new Map();

function changeSingles(
	changes: ElementChanges,
	key: Buffer,
	before: Frontend | undefined,
	after: Frontend | undefined,
): void {
	const old = before ? singles(before) : nothing;
	const now = after ? singles(after) : nothing;
	const stays = (set: string) =>
		old.has(set) &&
		now.has(set) &&
		old.get(set) === now.get(set) &&
		before?.service === after?.service &&
		before?.portName === after?.portName;
	if (before)
		for (const set of old.keys())
			if (!stays(set)) put(changes.deleted, set, { key });
	if (after)
		for (const [set, number] of now)
			if (!stays(set))
				put(changes.added, set, {
					key,
					...(number === undefined ? {} : { data: numberWord(number) }),
					...(namedSets.has(set) ? { comment: nameOf(after) } : {}),
				});
}

/** Where a listing says which Service it is. */
const namedSets = new Set([
	scopes.everybody.services,
	"no-endpoints-reject",
	"no-endpoints-drop",
]);

function nameOf({ service, portName }: Frontend): string {
	return portName === "" ? service : `${service}:${portName}`;
}

function changeSlots(
	changes: ElementChanges,
	scope: Scope,
	key: Buffer,
	before: readonly Backend[],
	after: readonly Backend[],
): void {
	const set = scopes[scope].endpoints;
	const slots = Math.max(before.length, after.length);
	for (let slot = 0; slot < slots; slot++) {
		const old = before[slot];
		const now = after[slot];
		if (old && now && old.address === now.address && old.port === now.port)
			continue;
		if (old) put(changes.deleted, set, { key: slotKey(key, slot) });
		if (now)
			put(changes.added, set, {
				key: slotKey(key, slot),
				data: endpointData(now),
			});
	}
}

function changeAffine(
	changes: ElementChanges,
	key: Buffer,
	before: Frontend | undefined,
	after: Frontend | undefined,
): void {
	if (
		before?.affinitySeconds === undefined &&
		after?.affinitySeconds === undefined
	)
		return;
	const old = affineElements(key, before);
	const now = affineElements(key, after);
	for (const [name, { set, element }] of old)
		if (!same(element, now.get(name)?.element))
			put(changes.deleted, set, { key: element.key });
	for (const [name, { set, element }] of now)
		if (!same(element, old.get(name)?.element))
			put(changes.added, set, element);
}

function same(a: Element, b: Element | undefined): boolean {
	return (
		Buffer.isBuffer(a.data) && Buffer.isBuffer(b?.data) && a.data.equals(b.data)
	);
}

/**
 * What leads a sticky frontend's clients back to its endpoints, by set and key as text. Should two endpoints ever have the same
 * number, clients of both go on to one of them, whatever the order.
 */
function affineElements(
	key: Buffer,
	frontend: Frontend | undefined,
): Map<string, { set: string; element: Element }> {
	const elements = new Map<string, { set: string; element: Element }>();
	if (frontend?.affinitySeconds === undefined) return elements;
	const add = (set: string, element: Element) =>
		elements.set(`${set} ${element.key.toString("latin1")}`, { set, element });
	for (const endpoint of allEndpoints(frontend)) {
		const data = endpointData(endpoint);
		add(affineIds, {
			key: Buffer.concat([key, data]),
			data: numberWord(endpointNumber(data)),
		});
	}
	for (const scope of ["everybody", "inside"] as const) {
		const all = (endpointsOf(frontend, scope) ?? []).map(endpointData);
		for (const data of all.sort((a, b) => a.compare(b)))
			add(affineEndpoints[scope], {
				key: slotKey(key, endpointNumber(data)),
				data,
			});
	}
	return elements;
}

function changeSources(
	changes: ElementChanges,
	key: Buffer,
	before: readonly string[] = [],
	after: readonly string[] = [],
): void {
	const old = new Set(before);
	const now = new Set(after);
	for (const cidr of old)
		if (!now.has(cidr)) put(changes.deleted, ...source(key, cidr));
	for (const cidr of now)
		if (!old.has(cidr)) put(changes.added, ...source(key, cidr));
}

function source(key: Buffer, cidr: string): [string, Element] {
	const [address = "", length] = cidr.split("/");
	return [
		sourcesSetName(Number(length)),
		{ key: Buffer.concat([key, addressBytes(address)]) },
	];
}

/** Every endpoint of a frontend, whomever it is for. */
export function allEndpoints(
	frontend: Frontend | undefined,
): readonly Backend[] {
	if (!frontend) return [];
	const { endpoints, internalEndpoints } = frontend;
	return internalEndpoints ? [...endpoints, ...internalEndpoints] : endpoints;
}
