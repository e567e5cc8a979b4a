import type {
	Explanation,
	StepReport,
} from "../../operator/model/explain/explanation.ts";
import { plain, type Style } from "./style.ts";
import { type Cell, table } from "./table.ts";

/** Marks differ by shape, so that they need no colour. */
const marks: Record<StepReport["state"], string> = {
	Done: "✓",
	Notice: "!",
	Blocked: "✗",
	Next: "…",
	Later: "·",
	Skipped: "–",
};

/** One Service's explanation as lines: the answer, the way there, who could serve it and why not, what to do. */
export function explanationText(told: Explanation, style: Style): string[] {
	const { steps, pools, classes, advice, blind } = told;
	return [
		style.bold(paintOf(told, style)(plain(told.headline))),
		"",
		...table(
			steps.map((step) => {
				const paint = paintStep(step, style);
				return [
					{ text: marks[step.state], paint },
					step.step,
					{ text: step.reason, paint },
					plain(step.message),
				];
			}),
		),
		...section("Pools", pools.map(poolRow(style)), style),
		...section("Classes", classes.map(classRow(style)), style),
		...section(
			"What to do",
			advice.map((each) => [plain(each)]),
			style,
		),
		...section(
			"Not known",
			blind.map((each) => [plain(each)]),
			style,
		),
	];
}

/** All that wait, one line each. */
export function waitingText(
	waiting: readonly Explanation[],
	total: number,
	style: Style,
): string[] {
	if (waiting.length === 0)
		return [`No Service waits (${total} of type LoadBalancer).`];
	return [
		...table([
			["SERVICE", "STATE", "REASON", "WHY"].map((text) => ({
				text,
				paint: style.dim,
			})),
			...waiting.map((each) => [
				plain(each.service),
				{ text: each.state, paint: paintOf(each, style) },
				each.reason,
				plain(each.headline.slice(each.service.length)),
			]),
		]),
		"",
		`${waiting.length} of ${total} Services of type LoadBalancer; fairlead explain NAMESPACE/NAME says more of each.`,
	];
}

function section(title: string, rows: Cell[][], style: Style): string[] {
	return rows.length === 0 ? [] : ["", style.bold(title), ...table(rows, "  ")];
}

function poolRow(style: Style) {
	return (pool: Explanation["pools"][number]): Cell[] => {
		const { ipv4, ipv6, verdict } = pool;
		const counts = [ipv4, ipv6]
			.filter(({ capacity }) => capacity !== "0")
			.map(({ assigned, capacity }) => `${assigned} of ${capacity}`);
		return [
			pool.pool,
			counts.join(" + ") || "empty",
			{
				text: verdict,
				paint:
					verdict === "Refuses"
						? style.bad
						: verdict === "NotAsked"
							? style.dim
							: style.good,
			},
			plain(pool.why),
		];
	};
}

function classRow(style: Style) {
	return (each: Explanation["classes"][number]): Cell[] => [
		each.class,
		each.provider,
		{
			text: each.verdict,
			paint: { Serves: style.good, Refuses: style.bad, Other: style.dim }[
				each.verdict
			],
		},
		plain(each.why),
	];
}

function paintOf(
	{ state }: Explanation,
	style: Style,
): (text: string) => string {
	if (state === "Served") return style.good;
	return state === "NotOurs" ? (text) => text : style.warn;
}

function paintStep(
	{ state }: StepReport,
	style: Style,
): (text: string) => string {
	switch (state) {
		case "Done":
			return style.good;
		case "Blocked":
			return style.bad;
		case "Notice":
		case "Next":
			return style.warn;
		default:
			return style.dim;
	}
}
