import { z } from "zod";
import { parseAddress } from "../store/address-range.ts";
import type { NetworkRecord } from "../store/records.ts";
import { ApiError, invalidInput } from "./api-error.ts";
import {
	type Call,
	checkQuota,
	type Cloud,
	fate,
	own,
	paramId,
	type Route,
} from "./cloud.ts";
import { cidr, labels, parse, resourceName } from "./input.ts";
import { list } from "./listing.ts";
import { checkName, readAndRename } from "./named-resources.ts";
import { renderAction, renderNetwork } from "./wire.ts";

const subnet = z.object({
	type: z.enum(["cloud", "server", "vswitch"], {
		error: "must be cloud, server or vswitch",
	}),
	ip_range: cidr.optional(),
	network_zone: z.string().min(1),
});

const create = z.object({
	name: resourceName,
	ip_range: cidr,
	labels: labels.nullish(),
	subnets: z.array(subnet).nullish(),
});

export function networkRoutes(cloud: Cloud): Route[] {
	const { store, actions } = cloud;
	const get = (call: Call) =>
		own(store.get("network", paramId(call)), call, "network");
	const render = (network: NetworkRecord) => renderNetwork(network, store);
	return [
		{
			method: "get",
			path: "/networks",
			handle: (call) =>
				list(call.query, call.path, {
					key: "networks",
					items: store.all("network", call.project),
					sort: {
						id: ({ id }) => id,
						name: ({ name }) => name,
						created: ({ created }) => created,
					},
					render,
				}),
		},
		{
			method: "post",
			path: "/networks",
			handle: (call) => {
				const input = parse(create, call.body);
				const subnets = (input.subnets ?? []).map((each, i) => {
					const ip_range = each.ip_range ?? input.ip_range;
					if (!within(ip_range, input.ip_range))
						throw invalidInput([
							{
								name: `subnets.${i}.ip_range`,
								messages: [
									`must lie within ${input.ip_range}, got ${JSON.stringify(ip_range)}`,
								],
							},
						]);
					return { ...each, ip_range };
				});
				checkName(store, "network", call, input.name);
				checkQuota(cloud, call, "network");
				const network = store.transaction((tx) => {
					const network: NetworkRecord = {
						kind: "network",
						id: tx.nextId(),
						project: call.project,
						name: input.name,
						labels: input.labels ?? {},
						created: tx.now,
						ipRange: input.ip_range,
						subnets,
						protection: false,
					};
					tx.put(network);
					return network;
				});
				return { status: 201, body: { network: render(network) } };
			},
		},
		...readAndRename(store, "network", "/networks", resourceName, render),
		{
			method: "delete",
			path: "/networks/:id",
			handle: (call) => {
				const network = get(call);
				const { servers, load_balancers } = render(network);
				if (network.protection)
					throw new ApiError(
						"protected",
						`network ${network.id} is protected from deletion`,
					);
				if (servers.length + load_balancers.length > 0)
					throw new ApiError(
						"resource_in_use",
						`network ${network.id} still has servers or load balancers; detach them first`,
					);
				store.transaction((tx) => tx.remove(network.id));
				return { status: 204, body: undefined };
			},
		},
		{
			method: "post",
			path: "/networks/:id/actions/add_subnet",
			handle: (call) => {
				const input = parse(subnet, call.body);
				const network = get(call);
				const ip_range = input.ip_range ?? network.ipRange;
				if (!within(ip_range, network.ipRange))
					throw invalidInput([
						{
							name: "ip_range",
							messages: [
								`must lie within ${network.ipRange}, got ${JSON.stringify(ip_range)}`,
							],
						},
					]);
				const action = store.transaction((tx) => {
					const action = actions.start(tx, {
						project: call.project,
						command: "add_subnet",
						resources: [{ id: network.id, type: "network" }],
						effect: { do: "nothing" },
						...fate(call),
					});
					tx.put({
						...network,
						subnets: [...network.subnets, { ...input, ip_range }],
					});
					return action;
				});
				return {
					status: 201,
					body: { action: renderAction(action, store.now()) },
				};
			},
		},
		{
			method: "post",
			path: "/networks/:id/actions/change_protection",
			handle: (call) => {
				const { delete: on } = parse(
					z.object({ delete: z.boolean() }),
					call.body,
				);
				const { id } = get(call);
				const action = store.transaction((tx) =>
					actions.start(tx, {
						project: call.project,
						command: "change_protection",
						resources: [{ id, type: "network" }],
						effect: { do: "change_protection", on },
						...fate(call),
					}),
				);
				return {
					status: 201,
					body: { action: renderAction(action, store.now()) },
				};
			},
		},
	];
}

function within(inner: string, outer: string): boolean {
	const [innerBase = "", innerLength = ""] = inner.split("/");
	const [outerBase = "", outerLength = ""] = outer.split("/");
	const host = BigInt(32 - Number(outerLength));
	return (
		Number(innerLength) >= Number(outerLength) &&
		parseAddress(innerBase) >> host === parseAddress(outerBase) >> host
	);
}
