import {
	type Backend,
	type Frontend,
	frontendKey,
	type HeldAddress,
	type Program,
} from "../../operator/model/rules/program.ts";
import { endpointAddress } from "./objects.ts";

/** A ClusterIP of its own for each, for up to 65,536 of them. */
export function frontend(
	index: number,
	more: Partial<Frontend> = {},
): Frontend {
	return {
		kind: "ClusterIP",
		family: "IPv4",
		address: `10.96.${index >> 8}.${index & 255}`,
		protocol: "TCP",
		port: 80,
		service: `bench/s${index}`,
		portName: "http",
		endpoints: Array.from({ length: 4 }, (_, each) => backend(each, index)),
		whenEmpty: "reject",
		masquerade: "outside",
		...more,
	};
}

export function backend(each: number, index: number, port = 8080): Backend {
	return { address: endpointAddress(each, index), port, local: each === 0 };
}

/** What carries these and nothing else, each at an address that is held. */
export function programOf(frontends: readonly Frontend[]): Program {
	const held = new Map<string, HeldAddress>();
	for (const { address } of frontends)
		held.set(address, { address, echo: false });
	return {
		frontends: new Map(frontends.map((each) => [frontendKey(each), each])),
		held,
		podCidrs: ["10.244.0.0/16"],
		masqueradeAll: false,
	};
}
