import type { EndpointSlice, Service } from "../../api/core.ts";
import { objectKey } from "../../api/meta.ts";
import { type Claim, claimsOf, compareClaims, lostSentence } from "./claims.ts";
import { compileService, type HealthCheck } from "./compile-service.ts";
import {
	type Frontend,
	frontendKey,
	type HeldAddress,
	type Program,
} from "./program.ts";
import type { RulesNode } from "./rules-node.ts";
import type { ExternalIPJudge } from "./service-addresses.ts";

export interface RulesWorld {
	services: Iterable<Service>;
	slices: Iterable<EndpointSlice>;
	node: RulesNode;
	/** Absent: external IPs are not restricted. */
	judge?: ExternalIPJudge;
}

export interface Compiled {
	program: Program;
	/** By `namespace/name`: why a Service, or part of it, is not served on this node; one sentence each. */
	problems: ReadonlyMap<string, readonly string[]>;
	/** By `namespace/name`. */
	healthChecks: ReadonlyMap<string, HealthCheck>;
}

/** The program of one node, from nothing. `RulesCompiler` comes to the same by steps. */
export function compile({
	services,
	slices,
	node,
	judge,
}: RulesWorld): Compiled {
	const byService = new Map<string, EndpointSlice[]>();
	for (const slice of slices) {
		const key = serviceOfSlice(slice);
		if (key === undefined) continue;
		const known = byService.get(key);
		if (known) known.push(slice);
		else byService.set(key, [slice]);
	}
	const problems = new Map<string, string[]>();
	const healthChecks = new Map<string, HealthCheck>();
	const held = new Map<string, HeldAddress>();
	const claims: Claim[] = [];
	const complain = (key: string, sentences: readonly string[]) => {
		if (sentences.length > 0)
			problems.set(key, [...(problems.get(key) ?? []), ...sentences]);
	};
	for (const service of services) {
		const key = objectKey(service);
		const compiled = compileService(
			service,
			byService.get(key) ?? [],
			node,
			judge,
		);
		if (!compiled) continue;
		complain(key, compiled.problems);
		if (compiled.healthCheck) healthChecks.set(key, compiled.healthCheck);
		claims.push(...claimsOf(compiled));
		for (const { address, echo } of compiled.held)
			held.set(address, {
				address,
				echo: echo || held.get(address)?.echo === true,
			});
	}
	const winners = new Map<string, Claim>();
	for (const claim of claims.sort(compareClaims)) {
		const key = frontendKey(claim.frontend);
		const winner = winners.get(key);
		if (!winner) winners.set(key, claim);
		else if (claim.carried)
			complain(claim.frontend.service, [lostSentence(claim, winner)]);
	}
	const frontends = new Map<string, Frontend>();
	for (const [key, { frontend, carried }] of winners)
		if (carried) frontends.set(key, frontend);
	const { podCidrs, masqueradeAll } = node;
	return {
		program: { frontends, held, podCidrs, masqueradeAll },
		problems,
		healthChecks,
	};
}

/** Source: k8s.io/api/discovery/v1, LabelServiceName. */
const serviceNameLabel = "kubernetes.io/service-name";

/** `namespace/name` of the Service a slice belongs to; undefined when it belongs to none. */
export function serviceOfSlice(slice: EndpointSlice): string | undefined {
	const name = slice.metadata.labels?.[serviceNameLabel];
	return name ? `${slice.metadata.namespace ?? ""}/${name}` : undefined;
}
