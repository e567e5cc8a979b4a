import type { AddressPool } from "../../operator/api/fairlead.ts";
import type { Allocation } from "../../operator/model/addresses/allocation.ts";
import { type IpAddress, parseIp } from "../../operator/model/addresses/ip.ts";
import { compilePool, type Pool } from "../../operator/model/addresses/pool.ts";
import { reasonText } from "../../operator/model/addresses/reasons.ts";
import type { AddressRequest } from "../../operator/model/addresses/request.ts";

export const pool = (
	name: string,
	addresses: string | string[],
	spec: Partial<AddressPool["spec"]> = {},
): Pool =>
	compilePool({
		metadata: { name },
		spec: { addresses: [addresses].flat(), ...spec },
	});

export function ip(text: string): IpAddress {
	const address = parseIp(text);
	if (!address.ok) throw new Error(address.reason);
	return address.value;
}

/** A Service of namespace shop; its age is that of its name: a before b. */
export function service(
	name: string,
	{ wants = [], ...more }: Partial<AddressRequest> & { wants?: string[] } = {},
): AddressRequest {
	return {
		uid: name,
		namespace: "shop",
		name,
		namespaceLabels: { team: "shop" },
		serviceLabels: {},
		createdAt: "2026-01-01T00:00:00Z",
		className: "lan",
		use: "LoadBalancer",
		families: ["IPv4"],
		policy: "SingleStack",
		requestedAddresses: wants.map(ip),
		ports: ["TCP/80"],
		externalTrafficPolicy: "Cluster",
		selector: { app: name },
		...more,
	};
}

export const both: Pick<AddressRequest, "families"> = {
	families: ["IPv4", "IPv6"],
};
/** `10.0.0.1 of pool` for each address it holds. */
export const held = ({ addresses }: Pick<Allocation, "addresses">) =>
	addresses.map((address) => `${address.ip} of ${address.pool}`);
/** Why it does not hold more. */
export const said = ({ reasons }: Pick<Allocation, "reasons">) =>
	reasons.map(reasonText);
