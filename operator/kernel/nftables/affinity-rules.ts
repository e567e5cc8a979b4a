import type { IPFamily } from "../../api/core.ts";
import {
	concatenated,
	destinationAddress,
	destinationPort,
	equals,
	type Expression,
	forget,
	inSet,
	lookUp,
	priority,
	remember,
	setPriority,
	sourceAddress,
	sourceAddressType,
	translateDestination,
	wordsOf,
} from "./expressions.ts";
import {
	addressType,
	frontend,
	frontendTypes,
	localAddress,
	originalFrontend,
	rule,
} from "./frontend-fields.ts";
import type { ChainSpec, RuleSpec, SetSpec, TypeName } from "./objects.ts";

/**
 * Where clients of sticky frontends are sent. A client's endpoint is remembered by the rules themselves and counts only
 * while it is an endpoint of that frontend: when one goes, nobody needs to look through all who are remembered. It is
 * remembered as a number, for a rule that asks about what another map gave cannot be listed by `nft` but by way of the priority.
 */

/** How many clients' endpoints are remembered at most; beyond that a client is balanced anew. */
const REMEMBERED_CLIENTS = 1 << 20;

/** By frontend and endpoint: the number by which clients of that endpoint are remembered. */
export const affineIds = "affine-ids";

/** The endpoint by frontend and number: where everybody may go on, and where only this cluster's pods and this node may. */
export const affineEndpoints = {
	everybody: "affine-endpoints",
	inside: "affine-endpoints-inside",
} as const;

export function affinitySets(family: IPFamily): SetSpec[] {
	const service = frontendTypes(family);
	const endpoint: TypeName[] = [addressType[family], "inet_service"];
	return [
		{ name: "affine", key: service, comment: "frontends that remember" },
		{
			name: affineIds,
			key: [...service, ...endpoint],
			data: ["mark"],
			comment: "number of an endpoint",
		},
		{
			name: affineEndpoints.everybody,
			key: [...service, "mark"],
			data: endpoint,
			comment: "endpoint by number",
		},
		{
			name: affineEndpoints.inside,
			key: [...service, "mark"],
			data: endpoint,
			comment: "endpoint by number, for those of the cluster",
		},
		{
			name: "affinity",
			key: [addressType[family], ...service],
			data: ["mark"],
			dynamic: { size: REMEMBERED_CLIENTS },
			comment: "number of the endpoint by client",
		},
	];
}

/** Sends a client where it went before; forgets where that was if nobody is there any more, so that it can be learned anew. */
export function rememberedChain(family: IPFamily): ChainSpec {
	const source = sourceAddress(family);
	const service = frontend(family);
	const key = [source, ...service];
	const goOn = (endpoints: string): Expression[] => [
		...concatenated(key),
		lookUp("affinity", 0, 0),
		setPriority(0),
		...concatenated([...service, priority]),
		lookUp(endpoints, 0, 0),
		translateDestination(family, 0),
	];
	return {
		name: "remembered",
		rules: [
			rule(goOn(affineEndpoints.everybody)),
			rule(inSet("pods", [source]), goOn(affineEndpoints.inside)),
			rule(
				equals(sourceAddressType, localAddress),
				goOn(affineEndpoints.inside),
			),
			rule(
				concatenated([...key, priority]),
				forget("affinity", 0, wordsOf(key)),
			),
		],
	};
}

export function learningSetName(seconds: number): string {
	return `affine-${seconds}`;
}

/** The frontends whose clients are remembered so long: one set per duration in use. */
export function learningSet(family: IPFamily, seconds: number): SetSpec {
	return { name: learningSetName(seconds), key: frontendTypes(family) };
}

/** Remembers, in chain `translated`, where a client's flow went. */
export function learningRule(family: IPFamily, seconds: number): RuleSpec {
	const service = originalFrontend(family);
	const key = [sourceAddress(family), ...service];
	const endpoint = [destinationAddress(family), destinationPort];
	return rule(
		inSet(learningSetName(seconds), service),
		concatenated([...service, ...endpoint]),
		lookUp(affineIds, 0, 0),
		setPriority(0),
		concatenated([...key, priority]),
		remember("affinity", 0, wordsOf(key), seconds),
	);
}
