import { z } from "zod";
import type { ResourceKind, ResourceOf } from "../store/records.ts";
import type { Store, Transaction } from "../store/store.ts";
import { notUnique } from "./api-error.ts";
import { type Call, own, paramId, type Route } from "./cloud.ts";
import { labels, parse } from "./input.ts";

/** @throws ApiError uniqueness_error when another resource of the kind has that name in the project */
export function checkName(
	names: Pick<Store | Transaction, "byName">,
	kind: ResourceKind,
	call: Call,
	name: string,
	self?: number,
): void {
	const holder = names.byName(kind, call.project, name);
	if (holder && holder.id !== self) throw notUnique(kind, "name");
}

/** GET of one and PUT of name and labels, which are alike for every kind of resource. */
export function readAndRename<K extends ResourceKind>(
	store: Store,
	kind: K,
	/** Of the collection, for instance /networks. */
	path: string,
	name: z.ZodType<string>,
	render: (resource: ResourceOf<K>) => unknown,
): Route[] {
	const update = z.object({ name: name.optional(), labels: labels.optional() });
	const get = (call: Call): ResourceOf<K> =>
		own(store.get(kind, paramId(call)), call, kind);
	return [
		{
			method: "get",
			path: `${path}/:id`,
			handle: (call) => ({ body: { [kind]: render(get(call)) } }),
		},
		{
			method: "put",
			path: `${path}/:id`,
			handle: (call) => {
				const input = parse(update, call.body);
				const before = get(call);
				const after = {
					...before,
					name: input.name ?? before.name,
					labels: input.labels ?? before.labels,
				};
				store.transaction((tx) => {
					checkName(tx, kind, call, after.name, before.id);
					tx.put(after);
				});
				return { body: { [kind]: render(after) } };
			},
		},
	];
}
