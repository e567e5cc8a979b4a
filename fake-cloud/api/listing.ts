import { z } from "zod";
import { invalidInput } from "./api-error.ts";
import { parse, repeated } from "./input.ts";
import { parseSelector } from "./label-selector.ts";

/** What a client asks of a list: Hetzner's `page`, `per_page`, `sort`, `name`, `label_selector`. */
const query = z.object({
	page: z.coerce.number().int().min(1).default(1),
	per_page: z.coerce.number().int().min(1).max(50).default(25),
	sort: repeated,
	name: z.string().optional(),
	label_selector: z.string().optional(),
});

export interface Listing<T> {
	/** Name of the list in the answer. */
	key: string;
	items: readonly T[];
	/** What may be sorted by. */
	sort: Record<string, (item: T) => string | number>;
	render: (item: T) => unknown;
}

/** What a list may be narrowed by, where its items have it. */
type Named = { name?: string; labels?: Record<string, string> };

/**
 * One page of a list, with `meta.pagination` and the links Hetzner sends along.
 *
 * @throws ApiError invalid_input
 */
export function list<T extends object>(
	input: unknown,
	path: string,
	{ key, items, sort, render }: Listing<T>,
): { body: Record<string, unknown>; link: string } {
	const { page, per_page, name, label_selector, ...asked } = parse(
		query,
		input,
	);
	const selects = parseSelector(label_selector ?? "");
	if (!selects)
		throw invalidInput([
			{
				name: "label_selector",
				messages: [
					`must be a label selector, got ${JSON.stringify(label_selector)}`,
				],
			},
		]);
	const found = items
		.filter((item) => name === undefined || (item as Named).name === name)
		.filter(
			(item) =>
				label_selector === undefined || selects((item as Named).labels ?? {}),
		)
		.sort(order(asked.sort, sort));
	const last = Math.max(1, Math.ceil(found.length / per_page));
	const pagination = {
		page,
		per_page,
		previous_page: page > 1 ? page - 1 : null,
		next_page: page < last ? page + 1 : null,
		last_page: last,
		total_entries: found.length,
	};
	const to = (rel: string, number: number | null) =>
		number === null
			? []
			: [`<${path}?page=${number}&per_page=${per_page}>; rel="${rel}"`];
	return {
		body: {
			[key]: found.slice((page - 1) * per_page, page * per_page).map(render),
			meta: { pagination },
		},
		link: [
			...to("prev", pagination.previous_page),
			...to("next", pagination.next_page),
			...to("last", last),
		].join(", "),
	};
}

function order<T>(
	asked: readonly string[],
	fields: Listing<T>["sort"],
): (a: T, b: T) => number {
	const keys = asked.map((text) => {
		const [field = "", direction = "asc", ...more] = text.split(":");
		const get = Object.hasOwn(fields, field) ? fields[field] : undefined;
		if (!get || more.length > 0 || !["asc", "desc"].includes(direction))
			throw invalidInput([
				{
					name: "sort",
					messages: [
						`must be one of ${Object.keys(fields).join(", ")}, optionally with :asc or :desc, got ${JSON.stringify(text)}`,
					],
				},
			]);
		return { get, sign: direction === "desc" ? -1 : 1 };
	});
	return (a, b) => {
		for (const { get, sign } of keys) {
			const [x, y] = [get(a), get(b)];
			if (x !== y) return x < y ? -sign : sign;
		}
		return 0;
	};
}
