import type { LabelSelector } from "../../api/fairlead.ts";
import type { KubeObject } from "../../api/meta.ts";

/** MetalLB's kinds (metallb.io/v1beta1 and v1beta2), as far as they say something that Fairlead can be told too. */

export interface IpAddressPool extends KubeObject {
	kind?: string;
	spec?: {
		addresses?: string[];
		autoAssign?: boolean;
		avoidBuggyIPs?: boolean;
		serviceAllocation?: {
			/** Lower is tried first; 0, as none, is last. */
			priority?: number;
			namespaces?: string[];
			namespaceSelectors?: LabelSelector[];
			serviceSelectors?: LabelSelector[];
		};
		/** Of the older kind AddressPool only: `layer2` or `bgp`. */
		protocol?: string;
		bgpAdvertisements?: unknown[];
	};
}

export interface Advertisement extends KubeObject {
	kind?: string;
	spec?: {
		/** With `ipAddressPoolSelectors` empty too: all pools. */
		ipAddressPools?: string[];
		ipAddressPoolSelectors?: LabelSelector[];
		/** Any of them. */
		nodeSelectors?: LabelSelector[];
		/** L2Advertisement. */
		interfaces?: string[];
		/** BGPAdvertisement. */
		communities?: string[];
		localPref?: number;
		aggregationLength?: number;
		aggregationLengthV6?: number;
		peers?: string[];
	};
}

export interface MetallbObjects {
	pools: IpAddressPool[];
	l2: Advertisement[];
	bgp: Advertisement[];
	/** `BGPPeer default-peer` and the like: kinds that mean nothing to Fairlead. */
	others: string[];
}

const dropped = new Set(["BGPPeer", "BFDProfile", "Community"]);

/** Sorts objects by kind; what is not MetalLB's is left to the caller. */
export function metallbObjects(
	objects: readonly (KubeObject & { apiVersion?: string; kind?: string })[],
): MetallbObjects {
	const found: MetallbObjects = { pools: [], l2: [], bgp: [], others: [] };
	for (const object of objects) {
		if (!object.apiVersion?.startsWith("metallb.io/")) continue;
		const { kind = "" } = object;
		if (kind === "IPAddressPool" || kind === "AddressPool")
			found.pools.push(object);
		else if (kind === "L2Advertisement") found.l2.push(object);
		else if (kind === "BGPAdvertisement") found.bgp.push(object);
		else if (!kind.endsWith("Status") && kind !== "ConfigurationState")
			found.others.push(
				`${kind} ${object.metadata.name}${dropped.has(kind) ? "" : " (unknown kind)"}`,
			);
	}
	const byName = (a: KubeObject, b: KubeObject) =>
		a.metadata.name < b.metadata.name ? -1 : 1;
	for (const list of [found.pools, found.l2, found.bgp]) list.sort(byName);
	return found;
}
