import type { KubeObject } from "../operator/api/meta.ts";
import { type Resource, resources } from "../operator/cluster/kube.ts";
import { outsideAddress } from "./network/addresses.ts";

/** An object and where it is created. */
export interface ObjectOf {
	resource: Resource;
	object: KubeObject;
}

/** Of the sample Service. */
export const samplePort = 80;
export const sampleService = { namespace: "default", name: "hello" };
/** Of Fairlead itself. */
export const ownNamespace = "fairlead-system";
/** Of the Service kube-dns: the usual one of 10.96.0.0/16. */
export const dnsAddress = "10.96.0.10";
const tokenSecret = { namespace: "kube-system", name: "cloud-token" };

/** What a balancer of Hetzner's type lb11 takes; lb21 takes 75. */
const smallestTypeTargets = 25;

/** A default class on the bundled cloud, and the cluster's DNS. */
export function clusterObjects(options: {
	cloudUrl: string;
	token: string;
	nodes: number;
}): ObjectOf[] {
	const dns = { namespace: "kube-system", name: "kube-dns" };
	return [
		{
			resource: resources.secrets,
			object: {
				apiVersion: "v1",
				kind: "Secret",
				metadata: tokenSecret,
				data: { token: Buffer.from(options.token).toString("base64") },
			} as KubeObject,
		},
		{
			resource: resources.namespaces,
			object: {
				apiVersion: "v1",
				kind: "Namespace",
				metadata: { name: ownNamespace },
			},
		},
		{
			resource: resources.balancerClasses,
			object: {
				apiVersion: "fairlead.dev/v1alpha1",
				kind: "BalancerClass",
				metadata: { name: "cloud" },
				spec: {
					provider: "HetznerCloud",
					default: true,
					hetznerCloud: {
						endpoint: `${options.cloudUrl}/v1`,
						tokenSecretRef: tokenSecret,
						location: "fsn1",
						...(options.nodes > smallestTypeTargets && { type: "lb21" }),
					},
				},
			} as KubeObject,
		},
		{
			resource: resources.services,
			object: {
				apiVersion: "v1",
				kind: "Service",
				metadata: {
					...dns,
					labels: {
						"k8s-app": "kube-dns",
						"kubernetes.io/cluster-service": "true",
						"kubernetes.io/name": "CoreDNS",
					},
				},
				spec: {
					clusterIP: dnsAddress,
					ports: [
						{ name: "dns", port: 53, protocol: "UDP" },
						{ name: "dns-tcp", port: 53, protocol: "TCP" },
					],
				},
			} as KubeObject,
		},
		{
			resource: resources.endpointSlices,
			object: {
				apiVersion: "discovery.k8s.io/v1",
				kind: "EndpointSlice",
				metadata: {
					...dns,
					labels: {
						"kubernetes.io/service-name": dns.name,
						"endpointslice.kubernetes.io/managed-by": "fairlead-sandbox",
					},
				},
				addressType: "IPv4",
				endpoints: [
					{ addresses: [outsideAddress], conditions: { ready: true } },
				],
				ports: [
					{ name: "dns", port: 53, protocol: "UDP" },
					{ name: "dns-tcp", port: 53, protocol: "TCP" },
				],
			} as KubeObject,
		},
	];
}

const sampleKinds: Record<string, Resource> = {
	Deployment: resources.deployments,
	Service: resources.services,
};

/** What `npm start` shows, in namespace default; `manifests` are those of examples/services/hello.yaml. */
export function sampleObjects(manifests: readonly KubeObject[]): ObjectOf[] {
	return manifests.map((manifest) => {
		const resource = sampleKinds[manifest.kind ?? ""];
		if (!resource) throw new Error(`the sample has a ${manifest.kind}`);
		const { namespace } = sampleService;
		const metadata = { ...manifest.metadata, namespace };
		return { resource, object: { ...manifest, metadata } };
	});
}
