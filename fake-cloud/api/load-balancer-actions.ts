import { z } from "zod";
import type { BalancerRecord, Effect, Target } from "../store/records.ts";
import type { Engine } from "../engine/engine.ts";
import { listenerKey, transportOf } from "../store/listener-key.ts";
import type { Transaction } from "../store/store.ts";
import { ApiError, invalidInput, notFound } from "./api-error.ts";
import { balancerTypes, find, named } from "./catalog.ts";
import {
	type Call,
	type Cloud,
	fate,
	own,
	paramId,
	type Route,
} from "./cloud.ts";
import { sameTarget } from "./effects.ts";
import {
	address,
	algorithm,
	id,
	idOrName,
	parse,
	service,
	serviceName,
	serviceUpdate,
	type TargetInput,
	target,
} from "./input.ts";
import { withService, withTarget } from "./load-balancers.ts";
import { privateAddress } from "./private-address.ts";
import { newService, updatedService } from "./services.ts";
import { renderAction } from "./wire.ts";

/** Looks an order over while the balancer stands still: what is wrong is refused now, what is right becomes an effect. */
type Command = (
	tx: Transaction,
	balancer: BalancerRecord,
	body: unknown,
	engine: Engine,
) => Effect;

const commands: Record<string, Command> = {
	add_service(_tx, balancer, body, engine) {
		const added = newService(parse(service, body), engine);
		withService(balancer, added, named(balancerTypes, balancer.type));
		return { do: "add_service", service: added };
	},
	update_service(_tx, balancer, body) {
		const input = parse(serviceUpdate, body);
		return {
			do: "update_service",
			service: updatedService(existingService(balancer, input), input),
		};
	},
	delete_service(_tx, balancer, body) {
		const found = existingService(balancer, parse(serviceName, body));
		return {
			do: "delete_service",
			port: found.listen_port,
			transport: transportOf(found),
		};
	},
	add_target(tx, balancer, body) {
		const { targets } = withTarget(
			tx,
			balancer,
			parse(target, body),
			named(balancerTypes, balancer.type),
		);
		return { do: "add_target", target: targets.at(-1) as Target };
	},
	remove_target: (_tx, balancer, body) => ({
		do: "remove_target",
		target: existingTarget(balancer, parse(target, body)),
	}),
	/** Not Hetzner's: several targets in one action. */
	add_targets(tx, balancer, body) {
		const type = named(balancerTypes, balancer.type);
		const added = parse(targetList, body).targets;
		const { targets } = added.reduce(
			(so, each) => withTarget(tx, so, each, type),
			balancer,
		);
		return { do: "add_targets", targets: targets.slice(-added.length) };
	},
	/** Not Hetzner's. */
	remove_targets: (_tx, balancer, body) => ({
		do: "remove_targets",
		targets: parse(targetList, body).targets.map((each) =>
			existingTarget(balancer, each),
		),
	}),
	change_algorithm: (_tx, _balancer, body) => ({
		do: "change_algorithm",
		algorithm: parse(z.object({ type: algorithm }), body).type,
	}),
	change_type(_tx, balancer, body) {
		const { load_balancer_type: wanted } = parse(
			z.object({ load_balancer_type: idOrName }),
			body,
		);
		const type = find(balancerTypes, wanted);
		if (!type)
			throw invalidInput([
				{
					name: "load_balancer_type",
					messages: [
						`must be one of ${balancerTypes.map(({ name }) => name).join(", ")}`,
					],
				},
			]);
		if (
			balancer.services.length > type.max_services ||
			balancer.targets.length > type.max_targets
		)
			throw new ApiError(
				"invalid_load_balancer_type",
				`type ${type.name} has at most ${type.max_services} services and ${type.max_targets} targets`,
			);
		return { do: "change_type", type: type.name };
	},
	change_protection: (_tx, _balancer, body) => ({
		do: "change_protection",
		on: parse(z.object({ delete: z.boolean() }), body).delete,
	}),
	enable_public_interface: () => ({ do: "set_public_interface", on: true }),
	disable_public_interface(_tx, { targets }) {
		if (targets.some((each) => each.type !== "ip" && !each.use_private_ip))
			throw new ApiError(
				"targets_without_use_private_ip",
				"the load balancer has targets that use the public IP",
			);
		return { do: "set_public_interface", on: false };
	},
	attach_to_network(tx, balancer, body) {
		const input = parse(z.object({ network: id, ip: address.nullish() }), body);
		const network = tx.get("network", input.network);
		if (network?.project !== balancer.project)
			throw notFound("network", input.network);
		if (balancer.privateNet.some((net) => net.network === input.network))
			throw new ApiError(
				"load_balancer_already_attached",
				`the load balancer is already attached to network ${input.network}`,
			);
		privateAddress(tx, network, input.ip ?? null);
		return {
			do: "attach_to_network",
			network: input.network,
			ip: input.ip ?? null,
		};
	},
	detach_from_network(_tx, balancer, body) {
		const { network } = parse(z.object({ network: id }), body);
		if (!balancer.privateNet.some((net) => net.network === network))
			throw new ApiError(
				"load_balancer_not_attached_to_network",
				`the load balancer is not attached to network ${network}`,
			);
		return { do: "detach_from_network", network };
	},
	change_dns_ptr(_tx, balancer, body) {
		const { ip, dns_ptr } = parse(
			z.object({ ip: address, dns_ptr: z.string().max(253).nullable() }),
			body,
		);
		if (![balancer.ipv4.address, balancer.ipv6.address].includes(ip))
			throw invalidInput([
				{
					name: "ip",
					messages: [
						`must be an address of the load balancer, got ${JSON.stringify(ip)}`,
					],
				},
			]);
		return { do: "change_dns_ptr", ip, dnsPtr: dns_ptr };
	},
};

export function loadBalancerActionRoutes({
	store,
	actions,
	engine,
}: Cloud): Route[] {
	const start = (call: Call, command: string, decide: Command) => {
		const balancer = own(
			store.get("load_balancer", paramId(call)),
			call,
			"load_balancer",
		);
		const action = store.transaction((tx) => {
			// First of all: what the running action is about to change must not be judged by how it is now.
			actions.requireUnlocked(tx, { id: balancer.id, type: "load_balancer" });
			const effect = decide(tx, balancer, call.body, engine);
			const resources = [
				{ id: balancer.id, type: "load_balancer" as const },
				...involved(effect),
			];
			return actions.start(tx, {
				project: call.project,
				command,
				resources,
				effect,
				...fate(call),
			});
		});
		return { status: 201, body: { action: renderAction(action, store.now()) } };
	};
	return Object.entries(commands).map(([command, decide]) => ({
		method: "post" as const,
		path: `/load_balancers/:id/actions/${command}`,
		handle: (call: Call) => start(call, command, decide),
	}));
}

const targetList = z.object({ targets: z.array(target).min(1).max(1000) });

function existingTarget(
	{ targets }: BalancerRecord,
	input: TargetInput,
): Target {
	const wanted: Target =
		input.type === "ip" ? input : { ...input, use_private_ip: false };
	const found = targets.find((each) => sameTarget(each, wanted));
	if (found) return found;
	throw new ApiError("not_found", "the load balancer has no such target");
}

function existingService(
	{ services }: BalancerRecord,
	{ listen_port, protocol = "tcp" }: z.infer<typeof serviceName>,
) {
	const key = listenerKey({ listen_port, protocol });
	const found = services.find((service) => listenerKey(service) === key);
	if (found) return found;
	throw new ApiError(
		"not_found",
		`the load balancer has no ${protocol === "udp" ? "UDP service" : "service"} with listen_port ${listen_port}`,
	);
}

function involved(
	effect: Effect,
): { id: number; type: "server" | "network" }[] {
	const targets =
		effect.do === "add_target" || effect.do === "remove_target"
			? [effect.target]
			: effect.do === "add_targets" || effect.do === "remove_targets"
				? effect.targets
				: [];
	if (targets.length > 0)
		return targets.flatMap((each) =>
			each.type === "server"
				? [{ id: each.server.id, type: "server" as const }]
				: [],
		);
	if (effect.do === "attach_to_network" || effect.do === "detach_from_network")
		return [{ id: effect.network, type: "network" }];
	return [];
}
