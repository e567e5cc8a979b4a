import type { FamilyCount } from "../../operator/api/fairlead.ts";
import type {
	Plan,
	PoolCount,
	ServicePlan,
} from "../../operator/model/plan/plan.ts";
import { plain, type Style } from "./style.ts";
import { type Cell, table } from "./table.ts";

/** What becomes of Services, in the order it is told: the worst first. */
const changes: [ServicePlan["change"], title: string][] = [
	["Loses", "lose their address"],
	["Moves", "get another address"],
	["Unadmitted", "keep an address they would not get anew"],
	["StillWaits", "go on waiting"],
	["Gains", "get an address"],
	["Readmitted", "are in order again"],
	["Renamed", "keep their address, under another pool"],
];

/** A plan as lines: what is wrong, the pools before and after, and the Services by what becomes of them. */
export function planText(plan: Plan, style: Style): string[] {
	const lines: string[] = [];
	if (plan.problems.length > 0)
		lines.push(
			style.bold(style.bad("Problems")),
			...table(
				plan.problems.map(({ object, field, message }) => [
					object,
					field,
					plain(message),
				]),
				"  ",
			),
			"",
		);
	lines.push(
		style.bold("Pools"),
		...table(
			[
				["POOL", "BEFORE", "AFTER"].map((text) => ({ text, paint: style.dim })),
				...plan.pools.map(({ pool, before, after }) => [
					pool,
					counts(before),
					counts(after),
				]),
			],
			"  ",
		),
		"",
	);
	for (const [change, title] of changes) {
		const services = plan.services.filter((each) => each.change === change);
		if (services.length === 0) continue;
		lines.push(
			style.bold(
				services.length === 1
					? `1 Service ${singular(title)}`
					: `${services.length} Services ${title}`,
			),
			...table(services.map(row(style)), "  "),
			"",
		);
	}
	if (plan.unchecked.length > 0)
		lines.push(
			style.bold("Not checked by the API server, which may refuse it"),
			...plan.unchecked.map((each) => `  ${plain(each)}`),
			"",
		);
	lines.push(
		plan.services.length === 0
			? `Nothing changes for any Service (${plan.unaffected} of type LoadBalancer).`
			: `${plan.unaffected} other Services of type LoadBalancer stay as they are.`,
	);
	return lines;
}

function row(style: Style) {
	return ({ service, before, after, change, why }: ServicePlan): Cell[] => [
		plain(service),
		before.addresses.join(", ") || "–",
		"→",
		{
			text: `${after.addresses.join(", ") || "–"}${pools(before.pools, after.pools)}`,
			paint:
				change === "Loses" || change === "Moves"
					? style.bad
					: change === "Gains"
						? style.good
						: (text) => text,
		},
		plain(why),
	];
}

function pools(before: string[], after: string[]): string {
	const named = [...new Set(after)].join(", ");
	return named === "" || before.join() === after.join()
		? ""
		: ` (pool ${named})`;
}

function counts(count: PoolCount | null): string {
	if (!count) return "–";
	const text = ({ assigned, capacity }: FamilyCount, family: string) =>
		capacity === "0" ? [] : [`${family} ${assigned} of ${capacity}`];
	return (
		[...text(count.ipv4, "IPv4"), ...text(count.ipv6, "IPv6")].join(", ") ||
		"empty"
	);
}

function singular(title: string): string {
	return title
		.replace(/^(\w+)/, (verb) =>
			verb === "are" ? "is" : verb === "go" ? "goes" : `${verb}s`,
		)
		.replace(/their/, "its")
		.replace(/they/, "it");
}
