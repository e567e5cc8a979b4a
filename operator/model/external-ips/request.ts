import type { Service } from "../../api/core.ts";
import { annotations } from "../../api/names.ts";
import type { Labels } from "../addresses/labels.ts";
import { type AddressRequest, readRequest } from "../addresses/request.ts";

const suffix = "/external-ips";

/** What the annotation asks for: any pool, or the one it names. Undefined: nothing. */
export function wantedExternalIPs(
	service: Service,
): { pool: string | undefined } | undefined {
	const value =
		service.metadata.annotations?.[annotations.externalIPs]?.trim() ?? "";
	if (value === "") return undefined;
	return { pool: value === "auto" ? undefined : value };
}

/** Under which UID a Service holds its external IPs; under its own it holds the addresses of its balancer. */
export function externalHolder(uid: string): string {
	return `${uid}${suffix}`;
}

export function isExternalHolder(holder: string): boolean {
	return holder.endsWith(suffix);
}

/**
 * One address per family of the Service, of its own: what it asks for its balancer (addresses, pool, sharing key) says
 * nothing about external IPs.
 */
export function externalIPRequest(
	service: Service,
	namespaceLabels: Labels,
): AddressRequest {
	const { request } = readRequest(service, {
		className: "",
		namespaceLabels,
		use: "ExternalIP",
	});
	const { requestedPool: _, sharingKey: __, ...rest } = request;
	const pool = wantedExternalIPs(service)?.pool;
	return {
		...rest,
		uid: externalHolder(request.uid),
		requestedAddresses: [],
		...(pool === undefined ? {} : { requestedPool: pool }),
	};
}
