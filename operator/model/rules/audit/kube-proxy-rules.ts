import type { IPFamily } from "../../../api/core.ts";
import type { Interval } from "../../addresses/intervals.ts";

/** What kube-proxy's own rules do, whichever mode it runs in: of one family, or of both together. */
export interface KubeProxyRules {
	/** Those there are rules of. */
	families: Set<IPFamily>;
	/** By `frontendKey`; NodePorts by `nodePortKey`, for a port is served at all node addresses alike. */
	frontends: Map<string, FoundFrontend>;
	/** What is wrong with the rules as a whole, one sentence each: no packet meets what this concerns. */
	broken: string[];
	/** Families whose NodePorts no packet gets to: right where kube-proxy has no address to serve them at. */
	unreached?: Set<IPFamily>;
}

export interface FoundFrontend {
	/** `namespace/name`; "" where the rules do not say. */
	service: string;
	/** `ADDRESS PORT` of every endpoint that clients outside are led to. */
	endpoints: Set<string>;
	/** The same for pods and the node itself. */
	internalEndpoints: Set<string>;
	/** What happens to who is led nowhere; undefined: he is not stopped. */
	refuses?: "reject" | "drop";
	affinity: boolean;
	/** Who may connect, as `mergeIntervals` gives it; absent: everybody. */
	sources?: readonly Interval[];
	/** Who is outside of `sources` is not led here, and not stopped either. */
	letsOthersBy?: boolean;
}

/** `IPv4|NodePort|TCP|30080`. */
export function nodePortKey(
	family: IPFamily,
	protocol: string,
	port: number,
): string {
	return `${family}|NodePort|${protocol}|${port}`;
}

/** The rules of several families as one. */
export function together(rules: readonly KubeProxyRules[]): KubeProxyRules {
	return {
		families: new Set(rules.flatMap(({ families }) => [...families])),
		frontends: new Map(rules.flatMap(({ frontends }) => [...frontends])),
		broken: rules.flatMap(({ broken }) => broken),
		unreached: new Set(rules.flatMap(({ unreached = [] }) => [...unreached])),
	};
}
