import { z } from "zod";
import type { ActionRecord } from "../store/records.ts";
import { notFound } from "./api-error.ts";
import { type Call, type Cloud, own, paramId, type Route } from "./cloud.ts";
import { parse, repeated } from "./input.ts";
import { list } from "./listing.ts";
import { renderAction } from "./wire.ts";

const query = z.object({ id: repeated, status: repeated });

/** Actions can be asked for by themselves, by kind of resource, and by resource. */
export function actionRoutes({ store }: Cloud): Route[] {
	const ofProject = (call: Call) =>
		store.actions().filter(({ project }) => project === call.project);
	const page = (call: Call, actions: readonly ActionRecord[]) => {
		const { status } = parse(query, call.query);
		return list(call.query, call.path, {
			key: "actions",
			items: actions.filter(
				(action) => status.length === 0 || status.includes(action.status),
			),
			sort: {
				id: ({ id }) => id,
				command: ({ command }) => command,
				status: ({ status }) => status,
				started: ({ started }) => started,
				finished: ({ status, finish }) =>
					status === "running" ? 0 : (finish ?? 0),
			},
			render: (action) => renderAction(action, store.now()),
		});
	};
	/** Clients poll with the ids they wait for, often: those are looked up, not searched. */
	const asked = (call: Call) => {
		const { id: ids } = parse(query, call.query);
		if (ids.length === 0) return ofProject(call);
		return [...new Set(ids)]
			.flatMap((id) => store.action(Number(id)) ?? [])
			.filter(({ project }) => project === call.project);
	};
	const one = (
		call: Call,
		param: string,
		belongs: (action: ActionRecord) => boolean = () => true,
	) => {
		const found = store.action(paramId(call, param));
		if (found?.project !== call.project || !belongs(found))
			throw notFound("action", call.params[param] ?? "");
		return { body: { action: renderAction(found, store.now()) } };
	};
	const about =
		(type: string, id?: number) =>
		({ resources }: ActionRecord) =>
			resources.some(
				(resource) =>
					resource.type === type && (id === undefined || resource.id === id),
			);
	const kinds = [
		["load_balancers", "load_balancer"],
		["servers", "server"],
		["networks", "network"],
	] as const;
	return [
		{
			method: "get",
			path: "/actions",
			handle: (call) => page(call, asked(call)),
		},
		{ method: "get", path: "/actions/:id", handle: (call) => one(call, "id") },
		...kinds.flatMap(([many, type]): Route[] => [
			{
				method: "get",
				path: `/${many}/actions`,
				handle: (call) => page(call, asked(call).filter(about(type))),
			},
			{
				method: "get",
				path: `/${many}/actions/:id`,
				handle: (call) => one(call, "id", about(type)),
			},
			{
				method: "get",
				path: `/${many}/:id/actions`,
				handle: (call) => {
					const { id } = own(store.get(type, paramId(call)), call, type);
					return page(call, asked(call).filter(about(type, id)));
				},
			},
			{
				method: "get",
				path: `/${many}/:id/actions/:action`,
				handle: (call) => one(call, "action", about(type, paramId(call))),
			},
		]),
	];
}
