import type { z } from "zod";
import { FairleadError } from "../../errors.ts";
import type { CloudCall, CloudHttp } from "./http.ts";
import type { Paged } from "./wire.ts";

/** The largest page the cloud gives. */
const perPage = 50;

/** Reads a list to its end. */
export async function readPages<A extends Paged, T>(
	http: CloudHttp,
	call: Omit<CloudCall, "method">,
	schema: z.ZodType<A>,
	pick: (answer: A) => T[],
): Promise<T[]> {
	const all: T[] = [];
	let page = 1;
	for (;;) {
		const answer = await http.call(
			{
				...call,
				method: "GET",
				query: [
					...(call.query ?? []),
					["page", String(page)],
					["per_page", String(perPage)],
				],
			},
			schema,
		);
		all.push(...pick(answer));
		const next = answer.meta?.pagination?.next_page;
		if (next == null) return all;
		if (next <= page)
			throw new FairleadError(
				"CloudBadAnswer",
				`GET ${call.path}: page ${page} says the next page is ${next}`,
			);
		page = next;
	}
}
