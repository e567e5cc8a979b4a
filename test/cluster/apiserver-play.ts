import { request } from "node:https";
import type { Row, Step } from "./apiserver-step.ts";

/** An API server, and who asks it. */
export interface Endpoint {
	call(
		method: string,
		path: string,
		body: string | undefined,
		headers: Record<string, string>,
	): Promise<Answer>;
}

export interface Answer {
	code: number;
	warnings: string[];
	body: unknown;
}

const formats = {
	json: "application/json-patch+json",
	merge: "application/merge-patch+json",
	strategic: "application/strategic-merge-patch+json",
	apply: "application/apply-patch+yaml",
};

export function endpoint(server: string, ca: string, token: string): Endpoint {
	return {
		call: (method, path, body, headers) =>
			new Promise((resolve, reject) => {
				const sent = request(`${server}${path}`, {
					ca,
					method,
					agent: false,
					headers: {
						authorization: `Bearer ${token}`,
						"user-agent": "differential/1",
						...(body === undefined
							? {}
							: { "content-length": String(Buffer.byteLength(body)) }),
						...headers,
					},
				});
				sent.on("error", reject);
				sent.on("response", (response) => {
					const chunks: Buffer[] = [];
					response.on("data", (chunk: Buffer) => chunks.push(chunk));
					response.on("end", () => {
						const text = Buffer.concat(chunks).toString();
						const type = response.headers["content-type"] ?? "";
						const warnings = response.headersDistinct["warning"] ?? [];
						resolve({
							code: response.statusCode ?? 0,
							warnings: warnings.flatMap((one) => one.split(/, (?=299 )/)),
							body: type.includes("json") ? JSON.parse(text) : text.trim(),
						});
					});
				});
				sent.end(body);
			}),
	};
}

/** Plays a row in a namespace of its own; answers of all steps, normalised. */
export async function play(
	server: Endpoint,
	[, ...steps]: Row,
	namespace: string,
): Promise<Answer[]> {
	const json = { "content-type": "application/json" };
	const made = await server.call(
		"POST",
		"/api/v1/namespaces",
		JSON.stringify({ metadata: { name: namespace } }),
		json,
	);
	if (made.code !== 201)
		throw new Error(`no namespace ${namespace}: ${JSON.stringify(made)}`);
	const answers: Answer[] = [];
	for (const step of steps) answers.push(await ask(server, step, namespace));
	return answers;
}

async function ask(
	server: Endpoint,
	step: Step,
	namespace: string,
): Promise<Answer> {
	const inPlace = (text: string) => text.replaceAll("NS", namespace);
	const body =
		step.body === undefined
			? undefined
			: inPlace(
					typeof step.body === "string" ? step.body : JSON.stringify(step.body),
				);
	const answer = await server.call(step.method, inPlace(step.path), body, {
		...(body === undefined
			? {}
			: { "content-type": step.as ? formats[step.as] : "application/json" }),
		...(step.accept ? { accept: step.accept } : {}),
	});
	return {
		...answer,
		body: normalize(answer.body),
		warnings: answer.warnings.map(normalizeText),
	};
}

/** What differs from run to run, by the name of its field. */
const replaced: Record<string, (value: unknown) => unknown> = {
	uid: (value) =>
		typeof value === "string" && /^[0-9a-f]{8}-/.test(value) ? "UID" : value,
	resourceVersion: () => "REVISION",
	creationTimestamp: () => "TIME",
	deletionTimestamp: () => "TIME",
	time: () => "TIME",
	// The texts that describe columns are not part of the contract.
	description: () => "",
};

/** Leaves what two servers must agree on. */
export function normalize(value: unknown, key = ""): unknown {
	const rule = replaced[key];
	if (rule) return rule(value);
	if (typeof value === "string") return normalizeText(value);
	if (key === "nodePort" || key === "healthCheckNodePort")
		return Number(value) >= 30_086 ? "NODE-PORT" : value;
	if (Array.isArray(value)) {
		const items = value.map((item) => normalize(item));
		// Entries of one second stand in no particular order.
		return key === "managedFields"
			? items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
			: items;
	}
	if (typeof value === "object" && value !== null)
		return Object.fromEntries(
			Object.entries(value).map(([name, item]) => [
				name,
				normalize(item, name),
			]),
		);
	return value;
}

function normalizeText(text: string): string {
	return (
		text
			// The order of keys in a quoted object is Go's own.
			.replace(
				/(patch: )?Invalid value: "\{.*\}": /,
				"$1Invalid value: OBJECT: ",
			)
			.replace(
				/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g,
				"UID",
			)
			.replace(/\b10\.96\.(?!0\.(?:0|77|78|9)\b)\d+\.\d+\b/g, "CLUSTER-IP")
			.replace(/\bfd00:10:96::(?!7[78]\b)[0-9a-f]+\b/g, "CLUSTER-IP6")
			.replace(/current: \d+/g, "current: REVISION")
			.replace(/in record \(\d+\)/g, "in record (REVISION)")
			.replace(/\bat 20\d\d-\d\d-\d\dT[\d:.]+Z/g, "at TIME")
			.replace(/:3[0-2]\d{3}\/(TCP|UDP)/g, ":NODE-PORT/$1")
			.replace(/^\d+(s|ms)$/, "AGE")
	);
}
