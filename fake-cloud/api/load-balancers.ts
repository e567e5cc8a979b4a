import { z } from "zod";
import type { BalancerRecord, Service, Target } from "../store/records.ts";
import { byListener, listenerKey } from "../store/listener-key.ts";
import type { Transaction } from "../store/store.ts";
import { ApiError, invalidInput, limitExceeded } from "./api-error.ts";
import {
	type BalancerType,
	balancerTypes,
	find,
	locations,
} from "./catalog.ts";
import {
	type Call,
	checkQuota,
	type Cloud,
	fate,
	own,
	paramId,
	type Route,
} from "./cloud.ts";
import { sameTarget } from "./effects.ts";
import {
	algorithm,
	id,
	idOrName,
	labels,
	parse,
	resourceName,
	service,
	target,
	type TargetInput,
} from "./input.ts";
import { list } from "./listing.ts";
import { checkName, readAndRename } from "./named-resources.ts";
import { privateAddress } from "./private-address.ts";
import { newService } from "./services.ts";
import { renderAction, renderBalancer } from "./wire.ts";

const create = z.object({
	name: resourceName,
	load_balancer_type: idOrName,
	algorithm: z.object({ type: algorithm }).nullish(),
	location: idOrName.nullish(),
	network_zone: z.string().nullish(),
	labels: labels.nullish(),
	services: z.array(service).nullish(),
	targets: z.array(target).nullish(),
	public_interface: z.boolean().nullish(),
	public_net: z.object({ ipv4: id.nullish(), ipv6: id.nullish() }).nullish(),
	network: id.nullish(),
});

export function loadBalancerRoutes(cloud: Cloud): Route[] {
	const { store, engine, actions } = cloud;
	const render = (balancer: BalancerRecord) =>
		renderBalancer(balancer, store, engine);
	const get = (call: Call) =>
		own(store.get("load_balancer", paramId(call)), call, "load_balancer");
	return [
		{
			method: "get",
			path: "/load_balancers",
			handle: (call) =>
				list(call.query, call.path, {
					key: "load_balancers",
					items: store.all("load_balancer", call.project),
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
			path: "/load_balancers",
			handle: (call) => {
				const { balancer, action } = createBalancer(cloud, call);
				return {
					status: 201,
					body: {
						load_balancer: render(balancer),
						action: renderAction(action, store.now()),
					},
				};
			},
		},
		...readAndRename(
			store,
			"load_balancer",
			"/load_balancers",
			resourceName,
			render,
		),
		{
			method: "delete",
			path: "/load_balancers/:id",
			handle: (call) => {
				const { id, protection } = get(call);
				if (protection)
					throw new ApiError(
						"protected",
						`load_balancer ${id} is protected from deletion`,
					);
				const action = store.transaction((tx) =>
					actions.start(tx, {
						project: call.project,
						command: "delete_load_balancer",
						resources: [{ id, type: "load_balancer" }],
						effect: { do: "delete" },
						...fate(call),
					}),
				);
				return {
					status: 201,
					body: { action: renderAction(action, store.now()) },
				};
			},
		},
		{
			method: "get",
			path: "/load_balancers/:id/metrics",
			handle: (call) => ({
				body: cloud.history.metrics(get(call).id, call.query),
			}),
		},
	];
}

function createBalancer(cloud: Cloud, call: Call) {
	const { store, actions } = cloud;
	const input = parse(create, call.body);
	const type = find(balancerTypes, input.load_balancer_type);
	if (!type)
		throw invalidInput([
			{
				name: "load_balancer_type",
				messages: [
					`must be one of ${balancerTypes.map(({ name }) => name).join(", ")}, got ${JSON.stringify(input.load_balancer_type)}`,
				],
			},
		]);
	const location = chooseLocation(input.location, input.network_zone);
	if (input.public_net?.ipv4 || input.public_net?.ipv6)
		throw new ApiError(
			"unsupported_error",
			"this cloud has no primary IPs to choose from; leave public_net out",
		);
	checkQuota(cloud, call, "load_balancer");
	return store.transaction((tx) => {
		checkName(tx, "load_balancer", call, input.name);
		const id = tx.nextId();
		const ipv4 = tx.allocate("balancer4", id);
		const ipv6 = tx.allocate("balancer6", id);
		if (!ipv4 || !ipv6)
			throw new ApiError(
				"resource_unavailable",
				"the cloud has no free address left; delete a load balancer, or start it with a larger range",
			);
		let balancer: BalancerRecord = {
			kind: "load_balancer",
			id,
			project: call.project,
			name: input.name,
			labels: input.labels ?? {},
			created: tx.now,
			type: type.name,
			location,
			algorithm: input.algorithm?.type ?? "round_robin",
			publicInterface: input.public_interface ?? true,
			ipv4,
			ipv6,
			privateNet: input.network ? [attachment(tx, call, input.network)] : [],
			services: [],
			targets: [],
			protection: false,
		};
		for (const each of input.services ?? [])
			balancer = withService(balancer, newService(each, cloud.engine), type);
		for (const each of input.targets ?? [])
			balancer = withTarget(tx, balancer, each, type);
		tx.put(balancer);
		const action = actions.start(tx, {
			project: call.project,
			command: "create_load_balancer",
			resources: [{ id, type: "load_balancer" }],
			effect: { do: "create" },
			...fate(call),
		});
		return { balancer, action };
	});
}

function chooseLocation(
	location: string | number | null | undefined,
	zone: string | null | undefined,
): string {
	if (location !== null && location !== undefined) {
		const found = find(locations, location);
		if (found) return found.name;
		throw invalidInput([
			{
				name: "location",
				messages: [
					`must be one of ${locations.map(({ name }) => name).join(", ")}, got ${JSON.stringify(location)}`,
				],
			},
		]);
	}
	const zones = [...new Set(locations.map(({ network_zone }) => network_zone))];
	if (!zone)
		throw invalidInput([
			{
				name: "location",
				messages: ["either location or network_zone is required"],
			},
		]);
	const first = locations.find(({ network_zone }) => network_zone === zone);
	if (first) return first.name;
	throw invalidInput([
		{
			name: "network_zone",
			messages: [
				`must be one of ${zones.join(", ")}, got ${JSON.stringify(zone)}`,
			],
		},
	]);
}

function attachment(tx: Transaction, call: Call, id: number) {
	const network = tx.get("network", id);
	if (network?.project !== call.project)
		throw invalidInput([
			{ name: "network", messages: [`must be the id of a network, got ${id}`] },
		]);
	return { network: id, ip: privateAddress(tx, network, null) };
}

/** @throws ApiError source_port_already_used, resource_limit_exceeded */
export function withService(
	balancer: BalancerRecord,
	added: Service,
	type: BalancerType,
): BalancerRecord {
	const { services } = balancer;
	const key = listenerKey(added);
	if (services.some((service) => listenerKey(service) === key))
		throw new ApiError(
			"source_port_already_used",
			`source port ${added.listen_port} is already in use`,
		);
	if (services.length >= type.max_services)
		throw limitExceeded(
			`a load balancer of type ${type.name} has at most ${type.max_services} services`,
			"load_balancer_services",
		);
	return {
		...balancer,
		services: [...services, added].sort(byListener),
	};
}

/** @throws ApiError target_already_defined, resource_limit_exceeded, missing_ipv4, … */
export function withTarget(
	tx: Transaction,
	balancer: BalancerRecord,
	input: TargetInput,
	type: BalancerType,
): BalancerRecord {
	const added: Target =
		input.type === "ip"
			? input
			: { ...input, use_private_ip: input.use_private_ip ?? false };
	if (balancer.targets.some((each) => sameTarget(each, added)))
		throw new ApiError(
			"target_already_defined",
			"the target is already defined",
		);
	if (balancer.targets.length >= type.max_targets)
		throw limitExceeded(
			`a load balancer of type ${type.name} has at most ${type.max_targets} targets`,
			"load_balancer_targets",
		);
	if (
		added.type !== "ip" &&
		added.use_private_ip &&
		balancer.privateNet.length === 0
	)
		throw new ApiError(
			"load_balancer_not_attached_to_network",
			"use_private_ip needs the load balancer to be attached to a network",
		);
	if (added.type === "server") checkServer(tx, balancer, added);
	return { ...balancer, targets: [...balancer.targets, added] };
}

function checkServer(
	tx: Transaction,
	balancer: BalancerRecord,
	{ server: { id }, use_private_ip }: Extract<Target, { type: "server" }>,
): void {
	const server = tx.get("server", id);
	if (server?.project !== balancer.project)
		throw invalidInput([
			{
				name: "server.id",
				messages: [`must be the id of a server, got ${id}`],
			},
		]);
	const networks = balancer.privateNet.map(({ network }) => network);
	if (
		use_private_ip &&
		!server.privateNet.some(({ network }) => networks.includes(network))
	)
		throw new ApiError(
			"server_not_attached_to_network",
			`server ${id} is not attached to the load balancer's network`,
		);
	if (!use_private_ip && !server.ipv4)
		throw new ApiError(
			"missing_ipv4",
			`server ${id} has no public IPv4 address`,
		);
}
