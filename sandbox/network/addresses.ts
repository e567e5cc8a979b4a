/** Who has which address in the sandbox, in both modes. */

export const podsCidr = "10.244.0.0/16";
export const serviceCidr = "10.96.0.0/16";
/** The balancers' addresses, of RFC 5737. */
export const balancerCidr = "203.0.113.0/24";
/** What somebody's router sends to the first node, for externalIPs; of RFC 5737. */
export const externalCidr = "198.51.100.0/24";
export const outsideAddress = "172.30.0.1";
export const cloudAddress = "172.30.0.2";

/** Nodes are numbered from 1 to this. */
export const maxNodes = 254;

export function nodeAddress(node: number): string {
	return `172.30.1.${node}`;
}

export function podCidr(node: number): string {
	return `10.244.${node}.0/24`;
}

/** What a node's pods send everything to. */
export function podGateway(node: number): string {
	return `10.244.${node}.1`;
}

/** The addresses that a node's pods may have, first to last. */
export function podAddresses(node: number): string[] {
	return Array.from(
		{ length: 253 },
		(_, index) => `10.244.${node}.${index + 2}`,
	);
}

/**
 * A link-layer address that follows from an IPv4 address, so that a machine that comes back is found at once by neighbours
 * who still remember it.
 */
export function macOf(address: string): string {
	const bytes = address
		.split(".")
		.map((octet) => Number(octet).toString(16).padStart(2, "0"));
	return ["02", "00", ...bytes].join(":");
}
