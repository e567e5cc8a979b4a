import { NftablesBackend } from "../../../operator/kernel/nftables/backend.ts";
import type { RulesBackend } from "../../../operator/model/rules/program.ts";
import { conntrackFlows } from "./conntrack-flows.ts";
import { KernelEngine, type KernelEngineOptions } from "./kernel-engine.ts";
import { loopbackAddresses } from "./loopback-addresses.ts";

export interface OpenKernelEngineOptions
	extends Omit<KernelEngineOptions, "rules" | "flows" | "addresses"> {
	/** CIDRs that balancers' addresses come from. */
	ranges: readonly string[];
}

/** nf_tables' name for the rules of the cloud's balancers. */
const table = "fairlead-cloud";

/**
 * A kernel engine on the real kernel.
 *
 * @throws KernelDenied, KernelUnsupported, KernelFailed; nothing is left then
 */
export function openKernelEngine({
	ranges,
	...options
}: OpenKernelEngineOptions): KernelEngine {
	const { namespace } = options.network;
	const opened: { close(): void }[] = [];
	const keep = <T extends { close(): void }>(part: T): T => {
		opened.push(part);
		return part;
	};
	try {
		return new KernelEngine({
			...options,
			addresses: keep(loopbackAddresses(namespace, ranges)),
			flows: keep(conntrackFlows(namespace)),
			rules: keep<RulesBackend>(new NftablesBackend(namespace, { table })),
		});
	} catch (error) {
		for (const part of opened.reverse()) part.close();
		throw error;
	}
}
