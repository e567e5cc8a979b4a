import type { IPFamily } from "../../api/core.ts";
import {
	destinationAddress,
	destinationPort,
	type Expression,
	type Field,
	originalDestination,
	originalDestinationPort,
	transport,
} from "./expressions.ts";
import type { RuleSpec, TypeName } from "./objects.ts";

/** What rules know a frontend by. */

export const addressType: Record<IPFamily, TypeName> = {
	IPv4: "ipv4_addr",
	IPv6: "ipv6_addr",
};

/** Types of a frontend's address, transport and port. */
export function frontendTypes(family: IPFamily): TypeName[] {
	return [addressType[family], "inet_proto", "inet_service"];
}

/** Address, transport and port that a packet is for. */
export function frontend(family: IPFamily): Field[] {
	return [destinationAddress(family), transport, destinationPort];
}

/** The same, of the flow before translation. */
export function originalFrontend(family: IPFamily): Field[] {
	return [originalDestination(family), transport, originalDestinationPort];
}

export function rule(...expressions: (Expression | Expression[])[]): RuleSpec {
	return { expressions: expressions.flat() };
}

export function word(value: number): Buffer {
	const bytes = Buffer.alloc(4);
	bytes.writeUInt32LE(value);
	return bytes;
}

const RTN_LOCAL = 2;

/** What `sourceAddressType` is for what this machine itself sends. */
export const localAddress = word(RTN_LOCAL);
