import { objectAt, objectsAt, stringAt, stringsAt } from "../access.ts";
import type { JsonObject } from "../schema/decode.ts";

/** What the rules of Services ask of a Service (pkg/api/service/util.go and registry/core/service). */

export const specOf = (service: JsonObject): JsonObject =>
	objectAt(service, "spec");
export const typeOf = (service: JsonObject): string =>
	stringAt(service, "spec", "type");
export const portsOf = (service: JsonObject): JsonObject[] =>
	objectsAt(service, "spec", "ports");
export const clusterIPsOf = (service: JsonObject): string[] =>
	stringsAt(service, "spec", "clusterIPs");
export const familiesOf = (service: JsonObject): string[] =>
	stringsAt(service, "spec", "ipFamilies");

export const needsClusterIP = (service: JsonObject): boolean =>
	typeOf(service) !== "ExternalName";

export const isHeadless = (service: JsonObject): boolean => {
	const ips = clusterIPsOf(service);
	return ips.length === 1 && ips[0] === "None";
};

/** NodePort or LoadBalancer. */
export const hasNodePorts = (service: JsonObject): boolean =>
	["NodePort", "LoadBalancer"].includes(typeOf(service));

/** NodePorts are given out without being asked for. */
export const allocatesNodePorts = (service: JsonObject): boolean =>
	typeOf(service) === "NodePort" ||
	(typeOf(service) === "LoadBalancer" &&
		specOf(service)["allocateLoadBalancerNodePorts"] !== false);

export const needsHealthCheckPort = (service: JsonObject): boolean =>
	typeOf(service) === "LoadBalancer" &&
	stringAt(service, "spec", "externalTrafficPolicy") === "Local";

/** NodePort, LoadBalancer, or a ClusterIP Service with external IPs. */
export const externallyAccessible = (service: JsonObject): boolean =>
	hasNodePorts(service) ||
	(typeOf(service) === "ClusterIP" &&
		stringsAt(service, "spec", "externalIPs").length > 0);

export const sameList = (a: string[], b: string[]): boolean =>
	a.length === b.length && a.every((one, index) => one === b[index]);
