import type { CompiledService } from "./compile-service.ts";
import type { Frontend, FrontendKind } from "./program.ts";

/** One Service's wish to serve an address and port. */
export interface Claim {
	frontend: Frontend;
	/** metadata.creationTimestamp of the Service. */
	created: string;
	/** Where it comes first, this program carries it; else another proxy does, and it only keeps others away. */
	carried: boolean;
}

/**
 * Who comes first where two Services want the same address, protocol and port. The cluster gave out ClusterIPs and
 * NodePorts and the controller ingress addresses; externalIPs anybody may write, so they never take what another kind
 * holds (CVE-2020-8554). Within a kind the older Service wins, then the lesser name.
 */
const rank: Record<FrontendKind, number> = {
	ClusterIP: 0,
	NodePort: 1,
	LoadBalancer: 2,
	ExternalIP: 3,
};

/** Negative when `a` comes first. */
export function compareClaims(a: Claim, b: Claim): number {
	const byKind = rank[a.frontend.kind] - rank[b.frontend.kind];
	if (byKind !== 0) return byKind;
	if (a.created !== b.created) return a.created < b.created ? -1 : 1;
	if (a.frontend.service === b.frontend.service) return 0;
	return a.frontend.service < b.frontend.service ? -1 : 1;
}

/** What the Service that lost is told. */
export function lostSentence(lost: Claim, winner: Claim): string {
	const { address, protocol, port, kind } = lost.frontend;
	const other = winner.frontend;
	const why =
		other.kind !== kind
			? `where it is a ${other.kind}, which comes before a ${kind}`
			: winner.created !== lost.created
				? "which is older"
				: "which comes first by name";
	return `${kind} ${address} ${protocol} ${port} is served by Service ${other.service}, ${why}; this Service is not reached there`;
}

export function claimsOf(compiled: CompiledService): Claim[] {
	const { created, only } = compiled;
	return compiled.frontends.map((frontend) => ({
		frontend,
		created,
		carried:
			only === undefined ||
			(isBalanced(frontend) && only.has(frontend.address)),
	}));
}

function isBalanced({ kind }: Frontend): boolean {
	return kind === "LoadBalancer" || kind === "ExternalIP";
}
