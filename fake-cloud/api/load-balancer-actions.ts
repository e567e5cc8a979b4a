import { z } from "zod";
import type { BalancerRecord, Effect, Target } from "../store/records.ts";
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
	serviceUpdate,
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
) => Effect;

const commands: Record<string, Command> = {
	add_service(_tx, balancer, body) {
		const added = newService(parse(service, body));
		withService(balancer, added, named(balancerTypes, balancer.type));
		return { do: "add_service", service: added };
	},
	update_service(_tx, balancer, body) {
		const input = parse(serviceUpdate, body);
		return {
			do: "update_service",
			service: updatedService(
				existingService(balancer, input.listen_port),
				input,
			),
		};
	},
	delete_service(_tx, balancer, body) {
		const { listen_port } = parse(z.object({ listen_port: z.int() }), body);
		existingService(balancer, listen_port);
		return { do: "delete_service", port: listen_port };
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
	remove_target(_tx, { targets }, body) {
		const input = parse(target, body);
		const found = targets.find((each) =>
			sameTarget(
				each,
				input.type === "ip" ? input : { ...input, use_private_ip: false },
			),
		);
		if (!found)
			throw new ApiError("not_found", "the load balancer has no such target");
		return { do: "remove_target", target: found };
	},
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

export function loadBalancerActionRoutes({ store, actions }: Cloud): Route[] {
	const start = (call: Call, command: string, decide: Command) => {
		const balancer = own(
			store.get("load_balancer", paramId(call)),
			call,
			"load_balancer",
		);
		const action = store.transaction((tx) => {
			// First of all: what the running action is about to change must not be judged by how it is now.
			actions.requireUnlocked(tx, { id: balancer.id, type: "load_balancer" });
			const effect = decide(tx, balancer, call.body);
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

function existingService({ services }: BalancerRecord, port: number) {
	const found = services.find(({ listen_port }) => listen_port === port);
	if (found) return found;
	throw new ApiError(
		"not_found",
		`the load balancer has no service with listen_port ${port}`,
	);
}

function involved(
	effect: Effect,
): { id: number; type: "server" | "network" }[] {
	if (
		(effect.do === "add_target" || effect.do === "remove_target") &&
		effect.target.type === "server"
	)
		return [{ id: effect.target.server.id, type: "server" }];
	if (effect.do === "attach_to_network" || effect.do === "detach_from_network")
		return [{ id: effect.network, type: "network" }];
	return [];
}
