import type { Service } from "../../api/core.ts";
import type { AddressPool } from "../../api/fairlead.ts";
import { annotations } from "../../api/names.ts";
import { adoptWish } from "../adopt-wish.ts";
import { formatIp, parseIp } from "../addresses/ip.ts";
import { arrangePools, compilePool } from "../addresses/pool.ts";
import { readRequest } from "../addresses/request.ts";
import type { Note } from "./metallb.ts";

/** What a Service must be annotated with to be Fairlead's and keep the address it has. */
export interface Keep {
	namespace: string;
	name: string;
	annotations: Record<string, string>;
}

/**
 * Services that hold addresses of these pools. MetalLB chose these addresses, and Fairlead, which knows nothing of that
 * choice, would choose anew: asking for what is there keeps it. And what another controller wrote on a Service without
 * class is respected (model/claims.ts) until somebody says that it is Fairlead's now.
 */
export function servicesToKeep(
	services: readonly Service[],
	pools: readonly AddressPool[],
): { keep: Keep[]; notes: Note[] } {
	const known = arrangePools(pools.map(compilePool));
	const keep: Keep[] = [];
	const notes: Note[] = [];
	for (const service of services) {
		const { metadata, spec, status } = service;
		const { namespace = "", name } = metadata;
		if (spec.type !== "LoadBalancer" || metadata.deletionTimestamp) continue;
		const shown = (status?.loadBalancer?.ingress ?? []).flatMap(
			({ ip = "" }) => {
				const address = parseIp(ip);
				return address.ok && known.ownerOf(address.value)
					? [formatIp(address.value)]
					: [];
			},
		);
		if (shown.length === 0) continue;
		if (spec.loadBalancerClass !== undefined) {
			notes.push({
				about: `Service ${namespace}/${name}`,
				kind: "Lost",
				message: `has loadBalancerClass ${spec.loadBalancerClass}, which cannot be changed: create it anew with one of Fairlead's, and annotation ${annotations.addresses}: ${shown.join(",")}`,
			});
			continue;
		}
		const asked = readRequest(service, {
			className: "",
			namespaceLabels: {},
		}).request.requestedAddresses.map(formatIp);
		const wanted = {
			...(shown.every((ip) => asked.includes(ip))
				? {}
				: { [annotations.addresses]: shown.join(",") }),
			// Nothing else hands a Service of MetalLB over: it has no balancer to be taken.
			...(adoptWish(service)?.means === "Leave"
				? {}
				: { [annotations.adopt]: "no" }),
		};
		if (Object.keys(wanted).length > 0)
			keep.push({ namespace, name, annotations: wanted });
	}
	return { keep, notes };
}

/** The command that brings it about. */
export function keepCommand({
	namespace,
	name,
	annotations: own,
}: Keep): string {
	const pairs = Object.entries(own).map(([key, value]) => `${key}=${value}`);
	return `kubectl annotate service --overwrite --namespace ${namespace} ${name} ${pairs.join(" ")}`;
}
