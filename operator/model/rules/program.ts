import type { IPFamily, Protocol } from "../../api/core.ts";

/**
 * What one node does with packets, in no backend's words: the compiler makes it, a diff of two is what changes, a backend
 * carries it out, `evaluate` answers for one packet. Addresses are canonical text.
 */
export interface Program {
	/** By `frontendKey`. */
	frontends: ReadonlyMap<string, Frontend>;
	/**
	 * Addresses that are ours whatever the port (ClusterIPs, and what Fairlead assigned): a port that no frontend serves
	 * is rejected, so that no packet wanders off. Not what others wrote in status or externalIPs: that may be a machine's own
	 * address, and rejecting its other ports would cut the machine off. By address.
	 */
	held: ReadonlyMap<string, HeldAddress>;
	/**
	 * Which sources are this cluster's pods: canonical CIDRs of both families. Traffic from elsewhere to a ClusterIP is
	 * masqueraded. Empty for a family: unknown, so nobody is a pod and nothing is masqueraded for coming from outside.
	 */
	podCidrs: readonly string[];
	/** Traffic to a ClusterIP is masqueraded wherever it comes from. */
	masqueradeAll: boolean;
}

export interface HeldAddress {
	address: string;
	/** Answer echo requests: for addresses that clients outside the cluster use. */
	echo: boolean;
}

export type FrontendKind =
	| "ClusterIP"
	| "NodePort"
	| "LoadBalancer"
	| "ExternalIP";

/** One address, protocol and port that packets arrive at, and where they go. */
export interface Frontend {
	kind: FrontendKind;
	family: IPFamily;
	/** NodePort: an address of this node. */
	address: string;
	protocol: Protocol;
	port: number;
	/** `namespace/name`. */
	service: string;
	/** Name of the Service's port; "" if it has none. */
	portName: string;
	/** Where packets from outside the cluster go, and for a ClusterIP all packets. The order is the backend's slots: see `arrange`. */
	endpoints: readonly Backend[];
	/** What happens to a packet when `endpoints` is empty: nobody serves (reject), or nobody on this node does (drop). */
	whenEmpty: "reject" | "drop";
	/**
	 * Where packets from this cluster's pods and from this node itself go, if that differs from `endpoints`
	 * (externalTrafficPolicy: Local); absent: the same.
	 */
	internalEndpoints?: readonly Backend[];
	/**
	 * UDP and SCTP: endpoints that new flows do not go to but that still serve (they terminate, or a hint or policy leaves
	 * them out); flows that lead there stay (k8s.io/kubernetes, pkg/proxy/conntrack). Absent: none.
	 */
	lasting?: readonly Backend[];
	/**
	 * `always`: the endpoint sees this node's address (NodePort, LoadBalancer and ExternalIP of policy Cluster);
	 * `outside`: only where the source is no pod of this cluster (ClusterIP); `node`: only what this node itself sends
	 * (policy Local; kube-proxy leaves pods their address there). A packet that comes back to its own sender is masqueraded
	 * in any case.
	 */
	masquerade: "always" | "outside" | "node";
	/** ClientIP affinity and how many seconds it lasts; absent: none. */
	affinitySeconds?: number;
	/** Canonical CIDRs of this family that may connect; absent: everybody. An empty list admits nobody. */
	sourceRanges?: readonly string[];
}

/** An endpoint: a pod's address and port. */
export interface Backend {
	address: string;
	port: number;
	/** The endpoint is on this node. */
	local: boolean;
}

/** `203.0.113.10|TCP|80`. */
export function frontendKey(
	frontend: Pick<Frontend, "address" | "protocol" | "port">,
): string {
	return `${frontend.address}|${frontend.protocol}|${frontend.port}`;
}

/** From one program to the next. `before` and `after` of a frontend share their key; one of them may be absent. */
export interface ProgramChange {
	frontends: { before?: Frontend; after?: Frontend }[];
	held: { before?: HeldAddress; after?: HeldAddress }[];
	/** Present if podCidrs or masqueradeAll changed. */
	settings?: Pick<Program, "podCidrs" | "masqueradeAll">;
}

/** Carries a program out: nftables, or nothing but `evaluate` where there is no kernel to ask. Calls are synchronous and atomic. */
export interface RulesBackend {
	/**
	 * Set by whoever writes. Told of what went wrong behind a write that is in force all the same: what outlives a change could
	 * not be cleaned away. The next `replace` tries again.
	 */
	onTrouble?: ((error: Error) => void) | undefined;
	/**
	 * From whatever is there to exactly this, without a gap for flows that both serve. It says as `keepAlive` does that whoever
	 * writes is alive, but not of a program that is `stale`: one that is no longer wanted, and only put back.
	 */
	replace(program: Program, stale?: "stale"): void;
	/**
	 * After a `replace` in which these went away: leads nobody on to them who began earlier. Absent where nothing outlives the
	 * rules. What fails is told to `onTrouble`.
	 */
	forgetGone?(frontends: readonly Frontend[]): void;
	/** One transaction. Throws KernelFailed when what is there is not what was left there: `replace` is due. */
	apply(change: ProgramChange): void;
	/**
	 * What somebody else changed since our last write; undefined if nobody did. Cheap; only where what others did could not be
	 * followed the rules are read back and compared with `inForce`, what is there if nobody did: without it that counts as a change.
	 *
	 * @throws what it failed by: nobody knows then, and `replace` is due
	 */
	drift(inForce?: Program): string | undefined;
	/**
	 * For rules that count only while whoever writes them is alive, because another proxy's lie beneath them: says that he is
	 * and that the rules are as they should be. Cheap; absent where rules always count.
	 *
	 * @throws what it failed by; the rules count for as long as was said before, and `replace` is due
	 */
	keepAlive?(): void;
	/** Takes away all that is ours and nothing else. */
	remove(): void;
	close(): void;
}
