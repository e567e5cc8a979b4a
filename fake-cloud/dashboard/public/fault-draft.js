/**
 * @import { Fault, FaultEffect } from "../../api/live.ts"
 */

/** @typedef {{ ok: true, fault: Fault } | { ok: false, field: string, message: string }} Draft */

/** The kinds there are and what a person picks them by. @type {readonly [FaultEffect["kind"], string][]} */
export const kinds = [
	["latency", "Slow answers"],
	["error", "Error answers"],
	["rate-limit", "Rate limit (429)"],
	["garbage", "Garbage answers"],
	["drop-response", "Lost answers: done, but not said"],
	["drop-request", "Lost requests: never done"],
	["action-stuck", "Actions that never end"],
	["action-failed", "Actions that fail"],
	["quota", "Quota"],
];

class Invalid extends Error {
	/** @param {string} field @param {string} message */
	constructor(field, message) {
		super(message);
		this.field = field;
	}
}

/**
 * The fault a filled form asks for, or the first field that is wrong and why.
 *
 * @param {Pick<FormData, "get">} form
 * @returns {Draft}
 */
export function draft(form) {
	try {
		return { ok: true, fault: parse(form) };
	} catch (error) {
		if (!(error instanceof Invalid)) throw error;
		return { ok: false, field: error.field, message: error.message };
	}
}

/** @param {Pick<FormData, "get">} form @returns {Fault} */
function parse(form) {
	const text = (/** @type {string} */ name) => {
		const given = form.get(name);
		return typeof given === "string" ? given.trim() || undefined : undefined;
	};
	const number = (
		/** @type {string} */ name,
		/** @type {number} */ low,
		/** @type {number} */ high,
	) => {
		const given = text(name);
		if (given === undefined) return undefined;
		const value = Number(given);
		if (!Number.isInteger(value) || value < low || value > high)
			throw new Invalid(
				name,
				`"${given}" is not a whole number from ${low} to ${high}`,
			);
		return value;
	};
	const needed = (
		/** @type {string} */ name,
		/** @type {number} */ low,
		/** @type {number} */ high,
	) => {
		const value = number(name, low, high);
		if (value === undefined)
			throw new Invalid(name, `Give a whole number from ${low} to ${high}`);
		return value;
	};
	const path = text("path");
	if (path !== undefined) checkPattern(path);
	const percent = number("probability", 1, 100);
	const match = defined({
		method: text("method"),
		path,
		project: text("project"),
	});
	return defined({
		match: Object.keys(match).length > 0 ? match : undefined,
		count: number("count", 1, 1_000_000),
		after: number("after", 0, 1_000_000),
		probability:
			percent === undefined || percent === 100 ? undefined : percent / 100,
		effect: effect(text, number, needed),
	});
}

/**
 * @param {(name: string) => string | undefined} text
 * @param {(name: string, low: number, high: number) => number | undefined} number
 * @param {(name: string, low: number, high: number) => number} needed
 * @returns {FaultEffect}
 */
function effect(text, number, needed) {
	const kind = /** @type {FaultEffect["kind"] | undefined} */ (text("kind"));
	switch (kind) {
		case "latency":
			return defined({
				kind,
				ms: needed("ms", 0, 600_000),
				jitterMs: number("jitterMs", 0, 600_000),
			});
		case "error":
			return defined({
				kind,
				status: needed("status", 400, 599),
				code: text("code"),
				message: text("message"),
				retryAfterSeconds: number("retryAfterSeconds", 0, 86_400),
			});
		case "garbage":
			return defined({ kind, body: text("body") });
		case "action-failed":
			return defined({ kind, code: text("code"), message: text("message") });
		case "quota": {
			const resource = /** @type {"load_balancer" | "server" | "network"} */ (
				text("resource")
			);
			return { kind, resource, limit: needed("limit", 0, 1_000_000) };
		}
		case "rate-limit":
		case "drop-response":
		case "drop-request":
		case "action-stuck":
			return { kind };
		case undefined:
			throw new Invalid("kind", "Choose what goes wrong");
	}
}

/** @param {string} path */
function checkPattern(path) {
	try {
		new RegExp(path);
	} catch (error) {
		throw new Invalid(
			"path",
			`Not a regular expression: ${error instanceof Error ? error.message : String(error)}`,
		);
	}
}

/**
 * Without the properties that were left empty.
 *
 * @template {object} T
 * @param {T} object
 * @returns {{ [K in keyof T]: Exclude<T[K], undefined> }}
 */
function defined(object) {
	return /** @type {{ [K in keyof T]: Exclude<T[K], undefined> }} */ (
		Object.fromEntries(
			Object.entries(object).filter(([, value]) => value !== undefined),
		)
	);
}
