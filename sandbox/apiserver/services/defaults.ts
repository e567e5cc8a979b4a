import {
	numberAt,
	objectAt,
	objectsAt,
	setDefault,
	stringAt,
	stringsAt,
} from "../access.ts";
import type { JsonObject } from "../schema/decode.ts";
import {
	allocatesNodePorts,
	clusterIPsOf,
	externallyAccessible,
	familiesOf,
	hasNodePorts,
	needsClusterIP,
	needsHealthCheckPort,
	portsOf,
	sameList,
	specOf,
	typeOf,
} from "./view.ts";

/** Defaults of core/v1 (pkg/apis/core/v1/defaults.go, SetDefaults_Service). */
export function defaultService(service: JsonObject): void {
	const spec = specOf(service);
	setDefault(spec, "sessionAffinity", "None");
	if (spec["sessionAffinity"] === "None") delete spec["sessionAffinityConfig"];
	if (
		spec["sessionAffinity"] === "ClientIP" &&
		objectAt(spec, "sessionAffinityConfig", "clientIP")["timeoutSeconds"] ===
			undefined
	)
		spec["sessionAffinityConfig"] = { clientIP: { timeoutSeconds: 10800 } };
	setDefault(spec, "type", "ClusterIP");
	for (const port of portsOf(service)) {
		setDefault(port, "protocol", "TCP");
		setDefault(port, "targetPort", numberAt(port, "port"));
	}
	if (externallyAccessible(service))
		setDefault(spec, "externalTrafficPolicy", "Cluster");
	if (typeOf(service) !== "ExternalName")
		setDefault(spec, "internalTrafficPolicy", "Cluster");
	if (typeOf(service) !== "LoadBalancer") return;
	if (spec["allocateLoadBalancerNodePorts"] === undefined)
		spec["allocateLoadBalancerNodePorts"] = true;
	for (const one of objectsAt(service, "status", "loadBalancer", "ingress"))
		if (stringAt(one, "ip")) setDefault(one, "ipMode", "VIP");
}

/** clusterIP and clusterIPs say the same, whichever of them a client knows (storage.go, normalizeClusterIPs). */
export function alignClusterIPs(
	service: JsonObject,
	old: JsonObject | undefined,
): void {
	const spec = specOf(service);
	const ip = stringAt(spec, "clusterIP");
	const ips = clusterIPsOf(service);
	if (!old) {
		if (ip && ips.length === 0) spec["clusterIPs"] = [ip];
		return;
	}
	const oldIp = stringAt(old, "spec", "clusterIP");
	const oldIps = clusterIPsOf(old);
	if (oldIps.length > 0 && ips.length === 0 && oldIp === ip)
		spec["clusterIPs"] = [...oldIps];
	if (oldIp === ip || !sameList(oldIps, clusterIPsOf(service))) return;
	if (oldIp && !ip) delete spec["clusterIPs"];
	else spec["clusterIPs"] = [ip];
}

/** What a client did not repeat but was given earlier (storage.go, patchAllocatedValues). */
export function keepAllocated(service: JsonObject, old: JsonObject): void {
	const spec = specOf(service);
	const oldSpec = specOf(old);
	if (needsClusterIP(old) && needsClusterIP(service)) {
		if (!stringAt(spec, "clusterIP") && stringAt(oldSpec, "clusterIP"))
			spec["clusterIP"] = stringAt(oldSpec, "clusterIP");
		if (clusterIPsOf(service).length === 0 && clusterIPsOf(old).length > 0)
			spec["clusterIPs"] = clusterIPsOf(old);
	}
	if (allocatesNodePorts(old) && allocatesNodePorts(service)) {
		const given = portsOf(service).map((port) => numberAt(port, "nodePort"));
		const used = new Set(
			portsOf(old)
				.map((port) => numberAt(port, "nodePort"))
				.filter((port) => port !== 0 && given.includes(port)),
		);
		const byName = new Map(
			portsOf(old).map((port) => [
				stringAt(port, "name"),
				numberAt(port, "nodePort"),
			]),
		);
		for (const port of portsOf(service)) {
			const before = byName.get(stringAt(port, "name"));
			if (!numberAt(port, "nodePort") && before && !used.has(before))
				port["nodePort"] = before;
		}
	}
	if (
		needsHealthCheckPort(old) &&
		needsHealthCheckPort(service) &&
		!numberAt(spec, "healthCheckNodePort")
	)
		spec["healthCheckNodePort"] = numberAt(oldSpec, "healthCheckNodePort");
}

/** Fields that no longer apply to the type go, unless the user changed them too (strategy.go, dropTypeDependentFields). */
export function dropTypeDependent(service: JsonObject, old: JsonObject): void {
	const spec = specOf(service);
	const oldSpec = specOf(old);
	if (needsClusterIP(old) && !needsClusterIP(service)) {
		if (
			stringAt(spec, "clusterIP") === stringAt(oldSpec, "clusterIP") &&
			sameList(clusterIPsOf(service), clusterIPsOf(old))
		) {
			delete spec["clusterIP"];
			delete spec["clusterIPs"];
		}
		if (sameList(familiesOf(service), familiesOf(old)))
			delete spec["ipFamilies"];
		if (spec["ipFamilyPolicy"] === oldSpec["ipFamilyPolicy"])
			delete spec["ipFamilyPolicy"];
	}
	if (hasNodePorts(old) && !hasNodePorts(service)) {
		const before = portsOf(old).map((port) => numberAt(port, "nodePort"));
		const now = portsOf(service).map((port) => numberAt(port, "nodePort"));
		if (now.every((port) => port === 0 || before.includes(port)))
			for (const port of portsOf(service)) delete port["nodePort"];
	}
	if (
		needsHealthCheckPort(old) &&
		!needsHealthCheckPort(service) &&
		spec["healthCheckNodePort"] === oldSpec["healthCheckNodePort"]
	)
		delete spec["healthCheckNodePort"];
	const leavesBalancer =
		typeOf(old) === "LoadBalancer" && typeOf(service) !== "LoadBalancer";
	for (const field of ["allocateLoadBalancerNodePorts", "loadBalancerClass"])
		if (leavesBalancer && spec[field] === oldSpec[field]) delete spec[field];
	if (
		externallyAccessible(old) &&
		!externallyAccessible(service) &&
		spec["externalTrafficPolicy"] === oldSpec["externalTrafficPolicy"]
	)
		delete spec["externalTrafficPolicy"];
	if (!needsClusterIP(service)) delete spec["internalTrafficPolicy"];
	if (typeOf(service) !== "LoadBalancer")
		service["status"] = { ...objectAt(service, "status"), loadBalancer: {} };
}

export function warningsForService(service: JsonObject): string[] {
	const spec = specOf(service);
	const type = typeOf(service);
	const headless =
		type === "ClusterIP" && stringAt(spec, "clusterIP") === "None";
	const external = stringsAt(spec, "externalIPs").length > 0;
	const warnings: string[] = [];
	if (headless) {
		if (stringAt(spec, "loadBalancerIP"))
			warnings.push("spec.loadBalancerIP is ignored for headless services");
		if (external)
			warnings.push("spec.externalIPs is ignored for headless services");
		if (spec["sessionAffinity"] !== "None")
			warnings.push("spec.SessionAffinity is ignored for headless services");
	}
	if (external && !headless && type !== "ExternalName")
		warnings.push(
			"spec.externalIPs is deprecated and may no longer be implemented in some clusters",
		);
	if (type === "ExternalName" && external)
		warnings.push(
			'spec.externalIPs is ignored when spec.type is "ExternalName"',
		);
	if (type !== "ExternalName" && stringAt(spec, "externalName"))
		warnings.push(
			'spec.externalName is ignored when spec.type is not "ExternalName"',
		);
	if (spec["trafficDistribution"] === "PreferClose")
		warnings.push(
			'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
		);
	return warnings;
}
