import {
	type NetworkNamespace,
	ownNamespace,
} from "../../operator/kernel/namespaces.ts";
import { NetnsNetwork } from "./netns/netns-network.ts";
import type { Network } from "./network.ts";

export interface NetworkOptions {
	mode: "netns";
	/** Becomes the outside; empty. Default: this process' own, which therefore must be a private one. */
	outside?: NetworkNamespace;
	/** A folder of this network alone, for the files that pods see instead of the machine's. */
	folder: string;
}

/**
 * Makes the sandbox's network.
 *
 * @throws NetworkUnavailable, KernelDenied, KernelUnsupported or KernelFailed: the message names the step
 */
export function createNetwork({
	outside = ownNamespace,
	folder,
}: NetworkOptions): Network {
	return new NetnsNetwork({ outside, folder });
}
