import type { ProviderName } from "../api/fairlead.ts";

/** What must be known of a provider before one is made: what its Services need from the controller. */
export interface ProviderTraits {
	/** This version has it; Services of a class without it are told so, and nothing is done for them. */
	available: boolean;
	/** Addresses come from AddressPools; else from the provider. */
	addressesFromPools: boolean;
	/** Something outside the API must be undone when a Service goes: finalizers, and a call to delete. */
	needsUndo: boolean;
	/** Balancers send traffic to nodes, so every change of nodes concerns them. */
	needsTargets: boolean;
	/** Balancers send traffic to NodePorts, so Services cannot do without them. */
	needsNodePorts: boolean;
	/** It can take over a balancer that another controller made. */
	takesOver: boolean;
	/** Nodes announce the addresses, so one that is released is not free before they have all stopped. */
	announces: boolean;
}

export const providerTraits: Record<ProviderName, ProviderTraits> = {
	HetznerCloud: {
		available: true,
		addressesFromPools: false,
		needsUndo: true,
		needsTargets: true,
		needsNodePorts: true,
		takesOver: true,
		announces: false,
	},
	Layer2: {
		available: false,
		addressesFromPools: true,
		needsUndo: true,
		needsTargets: false,
		needsNodePorts: false,
		takesOver: false,
		announces: true,
	},
	Static: {
		available: true,
		addressesFromPools: true,
		needsUndo: false,
		needsTargets: false,
		needsNodePorts: false,
		takesOver: false,
		announces: false,
	},
};
