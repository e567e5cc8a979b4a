import { isIP } from "node:net";
import { arrange } from "../../../operator/model/rules/arrange.ts";
import {
	type Backend,
	type Frontend,
	frontendKey,
} from "../../../operator/model/rules/program.ts";
import { transportOf } from "../../store/listener-key.ts";
import type { Service } from "../../store/records.ts";
import type { EngineBalancer, EngineKind } from "../engine.ts";

/**
 * What carries a listener on one of the balancer's addresses. Rules cannot count connections per target
 * (least_connections), put a word before the client's (PROXY protocol), read HTTP, or turn IPv6 into IPv4; and the kernel
 * takes no packet from outside to a loopback address.
 */
export function carrierOf(
	{ algorithm, targets }: EngineBalancer,
	address: string,
	service: Service,
): EngineKind {
	const plain =
		(service.protocol === "tcp" || service.protocol === "udp") &&
		!service.proxyprotocol &&
		algorithm === "round_robin";
	const family = isIP(address);
	const reachable = targets.every(
		(target) =>
			target.address === null ||
			(isIP(target.address) === family && !isLoopback(target.address)),
	);
	return plain && reachable ? "kernel" : "userspace";
}

/**
 * The rules of what the kernel carries for a balancer. `usable` gives the keys of the targets a new connection to a
 * listener may try. `before` are its rules now, by `frontendKey`: targets keep their slots, so that a change is small. While the balancer is
 * `full` its TCP listeners refuse; a UDP one would refuse the datagrams of the clients it has, too.
 *
 * Hetzner's round_robin becomes a choice at random: rules keep their endpoints in a map by slot that all listeners share,
 * and a counter that went round would be one for all, so that two listeners in step would each see every other slot only.
 * Over many connections the shares are the same.
 */
export function frontendsOf(
	balancer: EngineBalancer,
	usable: (service: Service) => readonly string[],
	full: boolean,
	before: ReadonlyMap<string, Frontend>,
): Frontend[] {
	const places = new Map(
		balancer.targets.map(({ key, address }) => [key, address]),
	);
	return balancer.addresses.flatMap((address) =>
		balancer.services.flatMap((service) => {
			if (carrierOf(balancer, address, service) !== "kernel") return [];
			const refuse = full && transportOf(service) === "tcp";
			const wanted = (refuse ? [] : usable(service)).flatMap(
				(key): Backend[] => {
					const place = places.get(key);
					return place
						? [{ address: place, port: service.destination_port, local: false }]
						: [];
				},
			);
			const bare = frontend(balancer.id, address, service);
			const now = before.get(frontendKey(bare));
			return [{ ...bare, endpoints: arrange(now?.endpoints ?? [], wanted) }];
		}),
	);
}

function frontend(
	id: number,
	address: string,
	service: Service,
): Omit<Frontend, "endpoints"> {
	const six = isIP(address) === 6;
	const { source_ranges: ranges, affinity_seconds: affinity } = service;
	return {
		kind: "LoadBalancer",
		family: six ? "IPv6" : "IPv4",
		address,
		protocol: transportOf(service) === "udp" ? "UDP" : "TCP",
		port: service.listen_port,
		service: `balancer/${id}`,
		portName: "",
		whenEmpty: "reject",
		masquerade: "always",
		...(affinity && { affinitySeconds: affinity }),
		...(ranges && {
			sourceRanges: ranges.filter((range) => range.includes(":") === six),
		}),
	};
}

function isLoopback(address: string): boolean {
	return address === "::1" || address.startsWith("127.");
}
