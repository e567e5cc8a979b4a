import type {
	ActionRecord,
	BalancerRecord,
	Effect,
	NetworkRecord,
	ServerRecord,
	Target,
} from "../store/records.ts";
import { byListener, listenerKey, transportOf } from "../store/listener-key.ts";
import type { Transaction } from "../store/store.ts";
import { notFound } from "./api-error.ts";
import { privateAddress } from "./private-address.ts";

/**
 * Makes true what an action promised. What stood in its way when it was started was refused then; what came since makes
 * it end in error.
 *
 * @throws ApiError
 */
export function applyEffect(
	tx: Transaction,
	{ resources, effect }: Pick<ActionRecord, "resources" | "effect">,
): void {
	const subject = resources[0];
	if (!subject) return;
	const { id, type } = subject;
	const record = tx.get(type, id);
	if (!record) throw notFound(type, id);
	if (effect.do === "delete") {
		remove(tx, record);
		return;
	}
	if (effect.do === "update") {
		const { name = record.name, labels = record.labels } = effect;
		tx.put({ ...record, name, labels });
		return;
	}
	if (effect.do === "change_protection") {
		tx.put({ ...record, protection: effect.on });
		return;
	}
	if (record.kind === "load_balancer")
		tx.put(changedBalancer(tx, record, effect));
	if (record.kind === "server") tx.put(changedServer(record, effect));
}

/** Undoes what a create did at once, because its action failed. */
export function undoCreate(tx: Transaction, { resources }: ActionRecord): void {
	const subject = resources[0];
	const record = subject && tx.get(subject.type, subject.id);
	if (record) remove(tx, record);
}

export function sameTarget(a: Target, b: Target): boolean {
	if (a.type === "server" && b.type === "server")
		return a.server.id === b.server.id;
	if (a.type === "ip" && b.type === "ip") return a.ip.ip === b.ip.ip;
	return (
		a.type === "label_selector" &&
		b.type === "label_selector" &&
		a.label_selector.selector === b.label_selector.selector
	);
}

function remove(
	tx: Transaction,
	record: BalancerRecord | ServerRecord | NetworkRecord,
): void {
	tx.remove(record.id);
	if (record.kind !== "server") return;
	// As at Hetzner, a server that is gone is no target any more.
	const gone: Target = {
		type: "server",
		server: { id: record.id },
		use_private_ip: false,
	};
	for (const balancer of tx.all("load_balancer", record.project))
		if (balancer.targets.some((target) => sameTarget(target, gone)))
			tx.put(withoutTargets(balancer, [gone]));
}

function withTargets(
	tx: Transaction,
	balancer: BalancerRecord,
	added: readonly Target[],
): BalancerRecord {
	for (const target of added)
		if (target.type === "server" && !tx.get("server", target.server.id))
			throw notFound("server", target.server.id);
	const { targets } = withoutTargets(balancer, added);
	return { ...balancer, targets: [...targets, ...added] };
}

function withoutTargets(
	balancer: BalancerRecord,
	gone: readonly Target[],
): BalancerRecord {
	return {
		...balancer,
		targets: balancer.targets.filter(
			(target) => !gone.some((each) => sameTarget(each, target)),
		),
	};
}

function changedServer(server: ServerRecord, effect: Effect): ServerRecord {
	switch (effect.do) {
		case "set_status":
			return { ...server, status: effect.status };
		case "create":
			return { ...server, status: effect.status ?? server.status };
		default:
			return server;
	}
}

function changedBalancer(
	tx: Transaction,
	balancer: BalancerRecord,
	effect: Effect,
): BalancerRecord {
	const { services } = balancer;
	switch (effect.do) {
		case "add_service":
		case "update_service": {
			const { service } = effect;
			const key = listenerKey(service);
			const others = services.filter((each) => listenerKey(each) !== key);
			return { ...balancer, services: [...others, service].sort(byListener) };
		}
		case "delete_service":
			return {
				...balancer,
				services: services.filter(
					(each) =>
						each.listen_port !== effect.port ||
						transportOf(each) !== (effect.transport ?? "tcp"),
				),
			};
		case "add_target":
			return withTargets(tx, balancer, [effect.target]);
		case "add_targets":
			return withTargets(tx, balancer, effect.targets);
		case "remove_target":
			return withoutTargets(balancer, [effect.target]);
		case "remove_targets":
			return withoutTargets(balancer, effect.targets);
		case "change_algorithm":
			return { ...balancer, algorithm: effect.algorithm };
		case "change_type":
			return { ...balancer, type: effect.type };
		case "set_public_interface":
			return { ...balancer, publicInterface: effect.on };
		case "attach_to_network": {
			const { network, ip } = effect;
			const found = tx.get("network", network);
			if (!found) throw notFound("network", network);
			return {
				...balancer,
				privateNet: [
					...balancer.privateNet.filter((net) => net.network !== network),
					{ network, ip: privateAddress(tx, found, ip) },
				],
			};
		}
		case "detach_from_network":
			return {
				...balancer,
				privateNet: balancer.privateNet.filter(
					({ network }) => network !== effect.network,
				),
			};
		case "change_dns_ptr": {
			const changed = (of: BalancerRecord["ipv4"]) =>
				of.address === effect.ip ? { ...of, dnsPtr: effect.dnsPtr } : of;
			return {
				...balancer,
				ipv4: changed(balancer.ipv4),
				ipv6: changed(balancer.ipv6),
			};
		}
		default:
			return balancer;
	}
}
