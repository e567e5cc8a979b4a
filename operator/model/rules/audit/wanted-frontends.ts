import type { EndpointSlice, IPFamily, Service } from "../../../api/core.ts";
import { objectKey } from "../../../api/meta.ts";
import { serviceOfSlice } from "../compile.ts";
import { compileService } from "../compile-service.ts";
import { type Frontend, frontendKey } from "../program.ts";
import { familyOf, type RulesNode } from "../rules-node.ts";
import { proxyNameLabel } from "../service-endpoints.ts";
import { nodePortKey } from "./kube-proxy-rules.ts";
import { readLeniently } from "./lenient-addresses.ts";

/** By `auditKey`: where several Services want the same, each of them, for kube-proxy takes any. */
export type WantedFrontends = ReadonlyMap<string, readonly Frontend[]>;

export interface AuditedWorld {
	services: Iterable<Service>;
	slices: Iterable<EndpointSlice>;
	node: RulesNode;
	/** Of which kube-proxy has rules here. */
	families: ReadonlySet<IPFamily>;
}

/** It writes NodePorts of a family whether the node has an address of it or not; where they are served is not compared. */
const anyAddress = ["0.0.0.0", "::"];

/**
 * What kube-proxy should have written: what it cannot know (what Fairlead records in annotations, and what label
 * service-proxy-name keeps from it) is left out. A family it has no rules of is asked of it if this node has an address of that.
 */
export function wantedFrontends({
	services,
	slices,
	node,
	families,
}: AuditedWorld): WantedFrontends {
	const asked = new Set([...families, ...node.nodePortAddresses.map(familyOf)]);
	// Whether it lets a balancer's own address through depends on what it takes for the node's: nobody is asked for that.
	const { primaryAddresses: _, ...described } = node;
	const everywhere = { ...described, nodePortAddresses: anyAddress };
	const byService = Map.groupBy(slices, serviceOfSlice);
	const wanted = new Map<string, Frontend[]>();
	for (const service of services) {
		const { annotations: _, ...metadata } = service.metadata;
		if (metadata.labels && proxyNameLabel in metadata.labels) continue;
		const compiled = compileService(
			readLeniently({ ...service, metadata }),
			byService.get(objectKey(service)) ?? [],
			everywhere,
		);
		for (const frontend of compiled?.frontends ?? []) {
			if (!asked.has(frontend.family)) continue;
			const key = auditKey(frontend);
			const known = wanted.get(key);
			if (known) known.push(frontend);
			else wanted.set(key, [frontend]);
		}
	}
	return wanted;
}

function auditKey(frontend: Frontend): string {
	const { kind, family, protocol, port } = frontend;
	return kind === "NodePort"
		? nodePortKey(family, protocol, port)
		: frontendKey(frontend);
}
