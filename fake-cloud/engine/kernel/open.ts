import { NftablesBackend } from "../../../operator/kernel/nftables/backend.ts";
import { conntrackFlows } from "./conntrack-flows.ts";
import { KernelEngine, type KernelEngineOptions } from "./kernel-engine.ts";
import { loopbackAddresses } from "./loopback-addresses.ts";
import { RulesWriter } from "./rules-writer.ts";

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
		const addresses = keep(loopbackAddresses(namespace, ranges));
		const rules = keep(
			new RulesWriter(new NftablesBackend(namespace, { table }), options.log),
		);
		// After the rules, which load conntrack and its settings.
		const flows = keep(conntrackFlows(namespace));
		return new KernelEngine({ ...options, addresses, flows, rules });
	} catch (error) {
		for (const part of opened.reverse()) part.close();
		throw error;
	}
}
