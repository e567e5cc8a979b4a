/**
 * @import { Fault, FaultEffect, LiveFault } from "../../api/live.ts"
 */
import { some } from "./format.js";

/** What a fault does, as a person says it. @param {FaultEffect} effect */
export function effectText(effect) {
	switch (effect.kind) {
		case "latency":
			return effect.jitterMs
				? `Wait ${effect.ms} ms and up to ${effect.jitterMs} ms more`
				: `Wait ${effect.ms} ms`;
		case "error":
			return [
				`Answer ${effect.status}`,
				effect.code && ` ${effect.code}`,
				effect.retryAfterSeconds !== undefined &&
					`, retry after ${effect.retryAfterSeconds} s`,
			]
				.filter(Boolean)
				.join("");
		case "rate-limit":
			return "Answer 429, rate limit exceeded";
		case "garbage":
			return "Answer 200 with garbage";
		case "drop-response":
			return "Do it, but cut the answer off";
		case "drop-request":
			return "Cut the connection before anything is done";
		case "action-stuck":
			return "The action never ends";
		case "action-failed":
			return `The action fails${effect.code ? ` with ${effect.code}` : ""}`;
		case "quota":
			return `At most ${effect.limit} × ${effect.resource.replaceAll("_", " ")} per project`;
	}
}

/** Which requests it meets. @param {Fault} fault */
export function matchText({ match, effect }) {
	const what = effect.kind.startsWith("action-") ? "actions started by" : "for";
	const method = match?.method?.toUpperCase() ?? "every";
	const path = match?.path ? ` matching ${match.path}` : "";
	const project = match?.project ? ` of project ${match.project}` : "";
	return `${what} ${method} request${path}${project}`;
}

/** How often. @param {Fault} fault */
export function scheduleText({ after, count, probability }) {
	return [
		after ? `after the first ${after}` : "",
		count === undefined ? "" : `for ${some(count, "time")}`,
		probability === undefined || probability === 1
			? ""
			: `with a chance of ${Math.round(probability * 100)} %`,
	]
		.filter(Boolean)
		.join(", ");
}

/** What was put, without what became of it. @param {LiveFault} fault @returns {Fault} */
export function asPut({ hits: _hits, ...fault }) {
	return fault;
}
