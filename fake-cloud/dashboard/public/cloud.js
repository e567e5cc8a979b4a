/**
 * The fake cloud's own endpoints (live.ts), on the page's origin.
 *
 * @import { Fault, LiveState } from "../../api/live.ts"
 * @import { PendingAnswer } from "../pending.ts"
 */

/** @returns {Promise<LiveState>} */
export const readState = () => ask("/fairlead/state");

/** @returns {Promise<PendingAnswer>} */
export const readPending = () => ask("/dashboard/pending");

/** @param {string} lastEventId */
export const openEvents = (lastEventId) =>
	new EventSource(
		`/fairlead/events?lastEventId=${encodeURIComponent(lastEventId)}`,
	);

/** The cluster's Services; closes for good by itself where there is no cluster to ask (204). */
export const openServices = () => new EventSource("/dashboard/services");

/** Replaces all faults. @param {readonly Fault[]} faults */
export const putFaults = (faults) =>
	ask("/fairlead/faults", {
		method: "PUT",
		body: JSON.stringify({ faults }),
	});

/** @param {string} id */
export const removeFault = (id) =>
	ask(`/fairlead/faults/${encodeURIComponent(id)}`, { method: "DELETE" });

export const clearFaults = () => ask("/fairlead/faults", { method: "DELETE" });

/**
 * The answer's JSON. Writing calls carry a header of ours: another origin's page cannot send it without asking first.
 *
 * @param {string} path
 * @param {{ method?: string, body?: string }} [call]
 * @throws {Error} with the cloud's own message, or the status where it gave none.
 */
async function ask(path, { method = "GET", body } = {}) {
	const answer = await fetch(path, {
		method,
		...(body !== undefined && { body }),
		headers: {
			accept: "application/json",
			...(method !== "GET" && { "x-fairlead": "1" }),
			...(body !== undefined && { "content-type": "application/json" }),
		},
	});
	const text = await answer.text();
	if (!answer.ok)
		throw new Error(
			messageIn(text) ?? `${method} ${path} was answered ${answer.status}`,
		);
	return text === "" ? null : JSON.parse(text);
}

/** @param {string} text @returns {string | undefined} */
function messageIn(text) {
	try {
		const message = JSON.parse(text)?.error?.message;
		return typeof message === "string" ? message : undefined;
	} catch {
		// Not JSON: the status says it.
		return undefined;
	}
}
