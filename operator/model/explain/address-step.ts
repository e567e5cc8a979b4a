import type { IPFamily, Service } from "../../api/core.ts";
import type { BalancerClass } from "../../api/fairlead.ts";
import { addressingOf } from "../addresses/addressing.ts";
import type { AssignedAddress } from "../addresses/allocation.ts";
import { formatIp } from "../addresses/ip.ts";
import { type Reason, reasonText } from "../addresses/reasons.ts";
import type { AddressRequest } from "../addresses/request.ts";
import {
	type Assignment,
	assignmentOf,
	sameAssignment,
	vouchedAssignmentOf,
} from "../assignment.ts";
import { ignoredWishes } from "../ignored-wishes.ts";
import { providerTraits } from "../provider-traits.ts";
import type { Addressing } from "../world.ts";
import { adoptAddresses } from "./adopted-addresses.ts";
import type { ClusterFacts } from "./cluster-facts.ts";
import { controllersTurn } from "./controller-turn.ts";
import type { StepReport } from "./explanation.ts";

/** What the pools have for a Service now, as the controller would find it; changes nothing. */
export interface Prospect {
	request: AddressRequest;
	held: AssignedAddress[];
	/** What it would hold, if that is something else. */
	offered: AssignedAddress[];
	/** Why it does not get all it asks for. */
	refusals: Reason[];
	/** What is out of order with what it holds and keeps. */
	notices: Reason[];
}

/** Only for a Service of a class that draws on pools. */
export function prospectOf(
	service: Service,
	className: string,
	facts: ClusterFacts,
): Prospect {
	const { allocator } = facts;
	const result = facts.request(service, className);
	const { request } = result;
	const held = allocator.addressesOf(request.uid);
	const notices = allocator.noticesOf(request.uid);
	const none = { request, held, offered: [], notices };
	if (!result.ok) return { ...none, refusals: result.reasons };
	if (held.length === 0) {
		// Nobody waits in an allocator that was only just made, so giving and taking back leaves no trace.
		const { addresses, reasons } = allocator.allocate(request);
		allocator.release(request.uid);
		return { ...none, offered: addresses, refusals: reasons };
	}
	const missing = missingFamilies(request, held);
	if (missing === undefined || mayBeFound(request, missing, facts))
		return afresh(request, facts);
	if (missing.length === 0) return { ...none, refusals: [] };
	const refusals = allocator
		.explain(request)
		.filter(({ family }) => family === undefined || missing.includes(family));
	return { ...none, refusals };
}

/** Families of which it holds nothing; undefined when what it holds is not what it asks for, and may be given up. */
function missingFamilies(
	request: AddressRequest,
	held: readonly AssignedAddress[],
): IPFamily[] | undefined {
	const kept = held.every(
		({ family }) =>
			request.families.includes(family) && !isUnmet(request, held, family),
	);
	return kept
		? request.families.filter((family) => isUnmet(request, held, family))
		: undefined;
}

/** Whether a family it lacks could be had by now. */
function mayBeFound(
	request: AddressRequest,
	missing: readonly IPFamily[],
	{ allocator }: ClusterFacts,
): boolean {
	if (missing.length === 0) return false;
	if (request.sharingKey !== undefined) return true;
	const refusals = allocator.explain(request);
	const pools = new Set(refusals.map(({ pool }) => pool));
	return missing.some((family) => {
		const against = refusals.filter(
			(each) => each.family === undefined || each.family === family,
		);
		if (request.requestedAddresses.some((each) => each.family === family))
			return against.length === 0;
		return allocator
			.pools()
			.some(
				({ name }) =>
					!pools.has(name) || !against.some(({ pool }) => pool === name),
			);
	});
}

/** What the controller would come to, tried out in an allocator of its own: what is held may be given up by it. */
function afresh(request: AddressRequest, facts: ClusterFacts): Prospect {
	const allocator = adoptAddresses(facts.recorded);
	const { addresses, reasons, notices } = allocator.allocate(request);
	return {
		request,
		held: addresses.length > 0 ? facts.allocator.addressesOf(request.uid) : [],
		offered: addresses,
		refusals: reasons,
		notices,
	};
}

export function addressStep(
	service: Service,
	{ metadata, spec }: BalancerClass,
	prospect: Prospect | undefined,
	facts: ClusterFacts,
): StepReport {
	const step = "Address";
	const recorded = assignmentOf(service);
	const ignored = ignoredWishes(service, spec.provider);
	if (!prospect) {
		const addresses = vouchedAssignmentOf(service)?.addresses ?? [];
		return addresses.length > 0
			? done(
					[`${addresses.join(", ")} (class ${metadata.name})`, ...ignored].join(
						"; ",
					),
				)
			: {
					step,
					state: "Later",
					reason: "NotReached",
					message: [
						`provider ${spec.provider} picks the address when it makes the balancer`,
						...ignored,
					].join("; "),
				};
	}
	const unread = facts.unread("addresspools.fairlead.dev");
	if (unread && prospect.held.length === 0)
		return {
			step,
			state: "Blocked",
			reason: unread.why === "Missing" ? "KindMissing" : "KindUnreadable",
			message: `AddressPools cannot be read: ${unread.message}`,
		};
	const { request, held, offered, refusals, notices } = prospect;
	const addresses = offered.length > 0 ? offered : held;
	const addressing = addressingOf(
		{ ok: false, addresses, reasons: refusals, notices },
		metadata.name,
	);
	if (addressing.kind !== "Pools") {
		const { reason, message } = addressing as Refused;
		return { step, state: "Blocked", reason, message };
	}
	const next: Assignment = { ...addressing.assignment, number: "0" };
	if (!recorded || !sameAssignment(recorded, next))
		return controllersTurn(
			step,
			`record ${[list(addresses), ...poolsOf(addresses)].join(" of ")}`,
			service,
			facts,
		);
	const said = [...refusals, ...notices];
	const [first] = isContent(request, addresses) ? notices : said;
	const message = [
		`${list(addresses)} (${[...poolsOf(addresses), `class ${metadata.name}`].join(", ")})`,
		...said.map(reasonText),
		...ignored,
	].join("; ");
	return first
		? { step, state: "Notice", reason: first.code, message }
		: done(message);
}

type Refused = Extract<Addressing, { kind: "Refused" }>;

/** PreferDualStack takes what it gets, if it is what was asked for. */
function isContent(
	request: AddressRequest,
	held: readonly AssignedAddress[],
): boolean {
	return (
		request.policy === "PreferDualStack" &&
		held.every(({ family }) => !isUnmet(request, held, family))
	);
}

/** Whether the provider of a class takes addresses from pools. */
export function drawsOnPools({ spec }: BalancerClass): boolean {
	return providerTraits[spec.provider]?.addressesFromPools ?? false;
}

function done(message: string): StepReport {
	return { step: "Address", state: "Done", reason: "Assigned", message };
}

function list(addresses: readonly AssignedAddress[]): string {
	return addresses.map(({ ip }) => ip).join(", ");
}

/** A record somebody wrote by hand may name no pool. */
function poolsOf(addresses: readonly AssignedAddress[]): string[] {
	const named = new Set(addresses.map(({ pool }) => pool).filter(Boolean));
	return named.size > 0 ? [`pool ${[...named].join(", pool ")}`] : [];
}

/** Whether it holds nothing of a family, or something else than it asks for. */
function isUnmet(
	{ requestedAddresses, requestedPool }: AddressRequest,
	held: readonly AssignedAddress[],
	family: IPFamily,
): boolean {
	const own = held.find((each) => each.family === family);
	if (!own) return true;
	const wanted = requestedAddresses.find((each) => each.family === family);
	if (wanted) return formatIp(wanted) !== own.ip;
	return requestedPool !== undefined && requestedPool !== own.pool;
}
