import { notFound } from "./api-error.ts";
import {
	balancerTypes,
	datacenters,
	images,
	locations,
	serverTypes,
} from "./catalog.ts";
import { paramId, type Route } from "./cloud.ts";
import { list } from "./listing.ts";

/** Lists that are the same for everybody and never change. */
export function catalogRoutes(): Route[] {
	return [
		...choices("location", "locations", locations),
		...choices("datacenter", "datacenters", datacenters),
		...choices("server_type", "server_types", serverTypes),
		...choices("load_balancer_type", "load_balancer_types", balancerTypes),
		...choices("image", "images", images, ["architecture", "type", "status"]),
		...choices("certificate", "certificates", []),
	];
}

/** `filters` are query parameters that must equal a field of the same name. */
function choices(
	one: string,
	many: string,
	items: readonly { id: number; name: string }[],
	filters: readonly string[] = [],
): Route[] {
	return [
		{
			method: "get",
			path: `/${many}`,
			handle: (call) => {
				const query = call.query as Record<
					string,
					string | string[] | undefined
				>;
				return list(call.query, call.path, {
					key: many,
					items: items.filter((item) =>
						filters.every((name) => {
							const wanted = query[name];
							return (
								wanted === undefined ||
								[wanted]
									.flat()
									.includes(String((item as Record<string, unknown>)[name]))
							);
						}),
					),
					sort: { id: ({ id }) => id, name: ({ name }) => name },
					render: (item) => item,
				});
			},
		},
		{
			method: "get",
			path: `/${many}/:id`,
			handle: (call) => {
				const found = items.find(({ id }) => id === paramId(call));
				if (!found) throw notFound(one, call.params["id"] ?? "");
				return { body: { [one]: found } };
			},
		},
	];
}
