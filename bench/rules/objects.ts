import type { EndpointSlice, Service } from "../../operator/api/core.ts";

export const namespace = "bench";
export const endpointsPerService = 4;
export const servicePorts = [
	{ name: "http", port: 80, targetPort: 8080 },
	{ name: "https", port: 443, targetPort: 8443 },
] as const;

/** As the yardstick has it: endpoint `each` of Service `index` lies in 10.50.0.0/16 and those behind it. */
export function endpointAddress(each: number, index: number): string {
	return `10.${50 + each}.${(index >> 8) & 255}.${index & 255}`;
}

export function benchService(index: number): Service {
	return {
		apiVersion: "v1",
		kind: "Service",
		metadata: { namespace, name: `s${index}` },
		spec: {
			selector: { app: `s${index}` },
			ports: servicePorts.map((port) => ({ ...port })),
		},
	};
}

/** The one slice of Service `index`; `addresses` instead of its own. */
export function benchSlice(
	index: number,
	addresses: readonly string[] = Array.from(
		{ length: endpointsPerService },
		(_, each) => endpointAddress(each, index),
	),
): EndpointSlice {
	return {
		apiVersion: "discovery.k8s.io/v1",
		kind: "EndpointSlice",
		metadata: {
			namespace,
			name: `s${index}-x`,
			labels: {
				"kubernetes.io/service-name": `s${index}`,
				"endpointslice.kubernetes.io/managed-by": "bench",
			},
		},
		addressType: "IPv4",
		endpoints: addresses.map((address, each) => ({
			addresses: [address],
			conditions: { ready: true, serving: true, terminating: false },
			nodeName: `n${each}`,
		})),
		ports: servicePorts.map(({ name, targetPort }) => ({
			name,
			port: targetPort,
			protocol: "TCP",
		})),
	};
}
