import { isIPv6 } from "node:net";
import { FairleadError } from "../../../operator/errors.ts";
import {
	addAddress,
	removeAddress,
} from "../../../operator/kernel/link-addresses.ts";
import { LOOPBACK } from "../../../operator/kernel/links.ts";
import type { NetworkNamespace } from "../../../operator/kernel/namespaces.ts";
import { type Route, setRoute } from "../../../operator/kernel/routes.ts";
import {
	carryOut,
	openRouteSocket,
} from "../../../operator/kernel/rtnetlink.ts";
import { trySetNetworkSetting } from "../../../operator/kernel/sysctl.ts";

/** The addresses that a machine answers for beside its own. Calls are synchronous and may be repeated. */
export interface HeldAddresses {
	add(address: string): void;
	remove(address: string): void;
	close(): void;
}

/**
 * Addresses on the loopback link of a namespace, where the kernel answers echo, refuses ports that nobody serves, and lets
 * sockets bind. An address of `ranges` that nobody has is unreachable there: by a default route its packets would come
 * back for ever. Where the kernel has IPv6 off (`ipv6.disable=1`), nobody carries such an address: `add` says so.
 *
 * @throws KernelDenied, KernelFailed; also its methods, and `add` KernelUnsupported
 */
export function loopbackAddresses(
	namespace: NetworkNamespace,
	ranges: readonly string[],
): HeldAddresses {
	const socket = openRouteSocket(namespace);
	const held = (address: string) => ({
		link: LOOPBACK,
		address,
		prefixLength: isIPv6(address) ? 128 : 32,
	});
	let hasIPv6: boolean;
	const nowhere = (destination: string): Route => ({
		destination,
		type: "unreachable",
	});
	try {
		// Machines that use no IPv6 turn it off for namespaces to come, too.
		hasIPv6 = trySetNetworkSetting(namespace, "ipv6/conf/lo/disable_ipv6", 0);
		carryOut(
			socket,
			ranges
				.filter((range) => hasIPv6 || !range.includes(":"))
				.map((range) => setRoute(nowhere(range))),
		);
	} catch (error) {
		socket.close();
		throw error;
	}
	return {
		add(address) {
			if (!hasIPv6 && isIPv6(address))
				throw new FairleadError(
					"KernelUnsupported",
					`nobody carries ${address}: this kernel has IPv6 off`,
				);
			// In scope link no packet of the cloud's own ever leaves from it.
			carryOut(socket, [addAddress({ ...held(address), scope: "link" })]);
		},
		remove(address) {
			if (hasIPv6 || !isIPv6(address))
				carryOut(socket, [removeAddress(held(address))]);
		},
		close: () => socket.close(),
	};
}
