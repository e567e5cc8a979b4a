import type { AddressPool } from "../../api/fairlead.ts";

export interface PoolProblem {
	code:
		| "InvalidSpec"
		| "InvalidEntry"
		| "InvalidSelector"
		| "InvalidRetention"
		| "Overlap";
	/** As the API server names it: `spec.addresses[1]`. */
	field: string;
	message: string;
}

type Spec = AddressPool["spec"];

const isText = (value: unknown): value is string => typeof value === "string";
const isTexts = (value: unknown): boolean =>
	Array.isArray(value) && value.every(isText);
const isRecord = (value: unknown): value is Record<string, unknown> =>
	typeof value === "object" && value !== null && !Array.isArray(value);
const isBoolean = (value: unknown): boolean => typeof value === "boolean";

const isExpression = (value: unknown): boolean =>
	isRecord(value) &&
	isText(value["key"]) &&
	isText(value["operator"]) &&
	(value["values"] === undefined || isTexts(value["values"]));

const isSelector = (value: unknown): boolean =>
	isRecord(value) &&
	(value["matchLabels"] === undefined ||
		(isRecord(value["matchLabels"]) &&
			Object.values(value["matchLabels"]).every(isText))) &&
	(value["matchExpressions"] === undefined ||
		(Array.isArray(value["matchExpressions"]) &&
			value["matchExpressions"].every(isExpression)));

/** Matches nothing: a selector nobody can read must not open a pool to everybody. */
const nobody: NonNullable<Spec["serviceSelector"]> = {
	matchExpressions: [{ key: "", operator: "In", values: [] }],
};

/** What each field must be, and what stands in for one that is not: whatever gives away less. */
const fields: {
	[F in keyof Spec]-?: {
		fits: (value: unknown) => boolean;
		must: string;
		instead: Spec[F] | undefined;
	};
} = {
	addresses: { fits: isTexts, must: "be a list of texts", instead: [] },
	uses: { fits: isTexts, must: "be a list of texts", instead: undefined },
	classes: { fits: isTexts, must: "be a list of texts", instead: [""] },
	autoAssign: { fits: isBoolean, must: "be true or false", instead: false },
	priority: {
		fits: (value) => Number.isFinite(value),
		must: "be a number",
		instead: undefined,
	},
	avoidFirstAndLast: {
		fits: isBoolean,
		must: "be true or false",
		instead: true,
	},
	namespaceSelector: {
		fits: isSelector,
		must: "be a label selector",
		instead: nobody,
	},
	serviceSelector: {
		fits: isSelector,
		must: "be a label selector",
		instead: nobody,
	},
	retention: { fits: isText, must: "be a text", instead: undefined },
};

/** A spec of the right shape, whatever was written, and what was wrong with that. */
export function checkedSpec(written: unknown): {
	spec: Spec;
	problems: PoolProblem[];
} {
	const problems: PoolProblem[] = [];
	const spec: Record<string, unknown> = {};
	const given = isRecord(written) ? written : {};
	for (const [name, { fits, must, instead }] of Object.entries(fields)) {
		const value = given[name] ?? undefined;
		const isMissing = value === undefined && name !== "addresses";
		if (isMissing || fits(value)) spec[name] = value;
		else {
			spec[name] = instead;
			problems.push({
				code: "InvalidSpec",
				field: `spec.${name}`,
				message: `must ${must}, not ${shown(value)}; apply crds/ so that such an object is refused`,
			});
		}
	}
	return { spec: spec as unknown as Spec, problems };
}

function shown(value: unknown): string {
	const text = value === undefined ? "nothing" : JSON.stringify(value);
	return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
