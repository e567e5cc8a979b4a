import type { Engine } from "../engine/engine.ts";
import type { Faults, Verdict } from "../faults/faults.ts";
import type { Resource } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import type { Actions } from "./actions.ts";
import type { TrafficHistory } from "./traffic-history.ts";
import { limitExceeded, notFound } from "./api-error.ts";

/** What the handlers of /v1 work with. */
export interface Cloud {
	store: Store;
	actions: Actions;
	faults: Faults;
	engine: Engine;
	history: TrafficHistory;
	random: () => number;
}

/** One authenticated request. */
export interface Call {
	project: string;
	/** Of the request, with /v1. */
	path: string;
	params: Record<string, string>;
	query: unknown;
	body: unknown;
	verdict: Verdict;
}

export interface Answer {
	/** 200 when absent. */
	status?: number;
	body: unknown;
	/** The Link header of a page. */
	link?: string;
}

export interface Route {
	method: "get" | "post" | "put" | "delete";
	/** Below /v1, in Express' notation. */
	path: string;
	/** Everything it writes is on disk when it returns. */
	handle(call: Call): Answer;
}

/** @throws ApiError not_found for what belongs to another project, too */
export function own<T extends Resource>(
	found: T | undefined,
	call: Call,
	what: string,
): T {
	if (found?.project === call.project) return found;
	throw notFound(what, call.params["id"] ?? "");
}

export function paramId(call: Call, name = "id"): number {
	const text = call.params[name] ?? "";
	return /^\d{1,15}$/.test(text) ? Number(text) : -1;
}

/** @throws ApiError resource_limit_exceeded when a fault's quota is used up */
export function checkQuota(
	{ faults, store }: Cloud,
	call: Call,
	kind: "load_balancer" | "server" | "network",
): void {
	const limit = faults.quota(kind, call.project);
	if (limit !== undefined && store.all(kind, call.project).length >= limit)
		throw limitExceeded(`${kind} limit exceeded`, `${kind}_limit`);
}

/** How a started action is told of the faults that met its request. */
export function fate({ verdict }: Call): Pick<Verdict, "heldBy" | "doomed"> {
	return { heldBy: verdict.heldBy, doomed: verdict.doomed };
}
