import {
	type NetworkNamespace,
	ownNamespace,
} from "../../operator/kernel/namespaces.ts";
import { NetnsNetwork } from "./netns/netns-network.ts";
import { UserspaceNetwork } from "./userspace/userspace-network.ts";

export type NetworkOptions =
	| {
			mode: "netns";
			/** Becomes the outside; empty. Default: this process' own, which therefore must be a private one. */
			outside?: NetworkNamespace;
			/** A folder of this network alone, for the files that pods see instead of the machine's. */
			folder: string;
	  }
	| { mode: "userspace" };

/**
 * Makes the sandbox's network.
 *
 * @throws NetworkUnavailable, KernelDenied, KernelUnsupported or KernelFailed: the message names the step. Nothing is left of
 * what was made before it.
 */
export function createNetwork(
	options: Extract<NetworkOptions, { mode: "netns" }>,
): NetnsNetwork;
export function createNetwork(
	options: Extract<NetworkOptions, { mode: "userspace" }>,
): UserspaceNetwork;
export function createNetwork(
	options: NetworkOptions,
): NetnsNetwork | UserspaceNetwork {
	return options.mode === "netns"
		? new NetnsNetwork({ outside: ownNamespace, ...options })
		: new UserspaceNetwork();
}
