import type { Service } from "../../api/core.ts";
import { conditions } from "../../api/names.ts";
import { formatIp, parseIp } from "../addresses/ip.ts";
import { vouchedAssignmentOf } from "../assignment.ts";
import { externalIPRecordOf } from "./record.ts";
import { wantedExternalIPs } from "./request.ts";

/** The addresses of a Service by what they are to it, canonical; what cannot be read is left out. */
export interface AddressRoles {
	externalIPs: string[];
	balancer: string[];
	clusterIPs: string[];
}

export function addressRoles(service: Service): AddressRoles {
	const { spec, status } = service;
	const balanced = spec.type === "LoadBalancer";
	return {
		externalIPs: canonical([
			...(spec.externalIPs ?? []),
			...(externalIPRecordOf(service)?.addresses ?? []),
		]),
		balancer: balanced
			? canonical([
					...(vouchedAssignmentOf(service)?.addresses ?? []),
					...(status?.loadBalancer?.ingress ?? []).flatMap(({ ip, ipMode }) =>
						ip && ipMode !== "Proxy" ? [ip] : [],
					),
				])
			: [],
		clusterIPs: canonical(
			spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : []),
		),
	};
}

/** Whether external IPs are anything to this Service, or were. */
export function concernsExternalIPs(service: Service): boolean {
	return (
		(service.spec.externalIPs?.length ?? 0) > 0 ||
		wantedExternalIPs(service) !== undefined ||
		externalIPRecordOf(service) !== undefined ||
		(service.status?.conditions ?? []).some(
			({ type }) => type === conditions.externalIPs,
		)
	);
}

/** As text and once each; "None" of a headless Service is no address. */
export function canonical(texts: readonly string[]): string[] {
	const found = new Set<string>();
	for (const text of texts) {
		const address = parseIp(text.trim());
		if (address.ok) found.add(formatIp(address.value));
	}
	return [...found];
}
