import { z } from "zod";
import type {
	ActionRecord,
	Effect,
	PublicAddress,
	ServerRecord,
} from "../store/records.ts";
import { ApiError, invalidInput, notFound } from "./api-error.ts";
import { find, images, locations, serverTypes } from "./catalog.ts";
import {
	type Call,
	checkQuota,
	type Cloud,
	fate,
	own,
	paramId,
	type Route,
} from "./cloud.ts";
import { address, hostname, id, idOrName, labels, parse } from "./input.ts";
import { list } from "./listing.ts";
import { checkName, readAndRename } from "./named-resources.ts";
import { privateAddress } from "./private-address.ts";
import { renderAction, renderServer } from "./wire.ts";

const create = z.object({
	name: hostname,
	server_type: idOrName,
	image: idOrName,
	location: idOrName.nullish(),
	datacenter: idOrName.nullish(),
	labels: labels.nullish(),
	start_after_create: z.boolean().nullish(),
	networks: z.array(id).nullish(),
	ssh_keys: z.array(idOrName).nullish(),
	public_net: z
		.object({
			enable_ipv4: z.boolean().optional(),
			enable_ipv6: z.boolean().optional(),
		})
		.nullish(),
	/** Not Hetzner's: the address that stands for this server, public and private. */
	fairlead: z.object({ address }).nullish(),
});

/** Commands without input, and what becomes of the server. */
const power: Record<string, Effect> = {
	poweron: { do: "set_status", status: "running" },
	poweroff: { do: "set_status", status: "off" },
	shutdown: { do: "set_status", status: "off" },
	reboot: { do: "set_status", status: "running" },
	reset: { do: "set_status", status: "running" },
};

const commandNames: Record<string, string> = {
	poweron: "start_server",
	poweroff: "stop_server",
	shutdown: "shutdown_server",
	reboot: "reboot_server",
	reset: "reset_server",
};

export function serverRoutes(cloud: Cloud): Route[] {
	const { store, actions } = cloud;
	const get = (call: Call) =>
		own(store.get("server", paramId(call)), call, "server");
	const render = (server: ServerRecord) =>
		renderAll(cloud, server.project)(server);
	const start = (call: Call, command: string, effect: Effect): ActionRecord => {
		const { id, project } = get(call);
		return store.transaction((tx) =>
			actions.start(tx, {
				project,
				command,
				resources: [{ id, type: "server" }],
				effect,
				...fate(call),
			}),
		);
	};
	return [
		{
			method: "get",
			path: "/servers",
			handle: (call) =>
				list(call.query, call.path, {
					key: "servers",
					items: filterByStatus(store.all("server", call.project), call.query),
					sort: {
						id: ({ id }) => id,
						name: ({ name }) => name,
						created: ({ created }) => created,
					},
					render: renderAll(cloud, call.project),
				}),
		},
		{
			method: "post",
			path: "/servers",
			handle: (call) => {
				const { server, action, rootPassword } = createServer(cloud, call);
				return {
					status: 201,
					body: {
						server: render(server),
						action: renderAction(action, store.now()),
						next_actions: [],
						root_password: rootPassword,
					},
				};
			},
		},
		...readAndRename(store, "server", "/servers", hostname, render),
		{
			method: "delete",
			path: "/servers/:id",
			handle: (call) => {
				const { id, protection } = get(call);
				if (protection)
					throw new ApiError(
						"protected",
						`server ${id} is protected from deletion`,
					);
				const action = start(call, "delete_server", { do: "delete" });
				return { body: { action: renderAction(action, store.now()) } };
			},
		},
		...Object.entries(power).map(
			([name, effect]): Route => ({
				method: "post",
				path: `/servers/:id/actions/${name}`,
				handle: (call) => {
					const action = start(call, commandNames[name] ?? name, effect);
					return {
						status: 201,
						body: { action: renderAction(action, store.now()) },
					};
				},
			}),
		),
		{
			method: "post",
			path: "/servers/:id/actions/change_protection",
			handle: (call) => {
				const input = parse(
					z.object({ delete: z.boolean().optional() }),
					call.body,
				);
				const action = start(call, "change_protection", {
					do: "change_protection",
					on: input.delete ?? get(call).protection,
				});
				return {
					status: 201,
					body: { action: renderAction(action, store.now()) },
				};
			},
		},
	];
}

/** Renders servers of a project; which balancers have them as targets is found once for all. */
function renderAll(
	{ store }: Cloud,
	project: string,
): (server: ServerRecord) => unknown {
	const balancers = new Map<number, number[]>();
	for (const balancer of store.all("load_balancer", project))
		for (const target of balancer.targets)
			if (target.type === "server")
				balancers.set(target.server.id, [
					...(balancers.get(target.server.id) ?? []),
					balancer.id,
				]);
	return (server) =>
		renderServer(
			server,
			balancers.get(server.id) ?? [],
			store.lockedBy(server.id) !== undefined,
		);
}

function filterByStatus(
	servers: ServerRecord[],
	query: unknown,
): ServerRecord[] {
	const { status } = query as { status?: string | string[] };
	return status === undefined
		? servers
		: servers.filter((server) => [status].flat().includes(server.status));
}

function createServer(cloud: Cloud, call: Call) {
	const { store, actions, random } = cloud;
	const input = parse(create, call.body);
	const type = choose(serverTypes, "server_type", input.server_type);
	const image =
		images.find(
			({ name, architecture }) =>
				name === input.image && architecture === type.architecture,
		) ?? choose(images, "image", input.image);
	const location =
		input.location ??
		(typeof input.datacenter === "string"
			? input.datacenter.replace(/-dc\d+$/, "")
			: "fsn1");
	const place = choose(locations, "location", location);
	checkQuota(cloud, call, "server");
	const given = input.fairlead?.address;
	return store.transaction((tx) => {
		checkName(tx, "server", call, input.name);
		const id = tx.nextId();
		const publicAddress = (
			family: 4 | 6,
			enabled = true,
		): PublicAddress | null => {
			if (!enabled) return null;
			if (given !== undefined && (family === 6) === given.includes(":"))
				return { id: tx.nextId(), address: given, dnsPtr: null };
			const allocated = tx.allocate(`server${family}`, id);
			if (allocated) return allocated;
			throw new ApiError(
				"resource_unavailable",
				"the cloud has no free server address left",
			);
		};
		const server: ServerRecord = {
			kind: "server",
			id,
			project: call.project,
			name: input.name,
			labels: input.labels ?? {},
			created: tx.now,
			type: type.name,
			location: place.name,
			image: image.id,
			status: "initializing",
			ipv4: publicAddress(4, input.public_net?.enable_ipv4),
			ipv6: publicAddress(6, input.public_net?.enable_ipv6),
			privateNet: (input.networks ?? []).map((number) => {
				const network = tx.get("network", number);
				if (network?.project !== call.project)
					throw notFound("network", number);
				const octets = Array.from({ length: 5 }, () =>
					Math.floor(random() * 256)
						.toString(16)
						.padStart(2, "0"),
				);
				return {
					network: number,
					ip: given ?? privateAddress(tx, network, null),
					mac: ["86", ...octets].join(":"),
				};
			}),
			protection: false,
		};
		tx.put(server);
		const action = actions.start(tx, {
			project: call.project,
			command: "create_server",
			resources: [{ id, type: "server" }],
			effect: {
				do: "create",
				status: input.start_after_create === false ? "off" : "running",
			},
			...fate(call),
		});
		const letters = () => Math.floor(random() * 36 ** 6).toString(36);
		const rootPassword = input.ssh_keys?.length
			? null
			: `${letters()}${letters()}`;
		return { server, action, rootPassword };
	});
}

function choose<T extends { id: number; name: string }>(
	choices: readonly T[],
	field: string,
	wanted: string | number,
): T {
	const found = find(choices, wanted);
	if (found) return found;
	const names = [...new Set(choices.map(({ name }) => name))].join(", ");
	throw invalidInput([
		{
			name: field,
			messages: [`must be one of ${names}, got ${JSON.stringify(wanted)}`],
		},
	]);
}
