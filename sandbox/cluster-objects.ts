import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { parse, parseAllDocuments } from "yaml";
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
/** Of the Service kube-dns: the usual one of 10.96.0.0/16. */
export const dnsAddress = "10.96.0.10";
const tokenSecret = { namespace: "kube-system", name: "cloud-token" };

/** What a balancer of Hetzner's type lb11 takes; lb21 takes 75. */
const smallestTypeTargets = 25;

/** One folder up when run from source, two when run from dist/. */
function inPackage(path: string): URL {
	return (
		["../", "../../"]
			.map((up) => new URL(up + path, import.meta.url))
			.find((url) => existsSync(url)) ?? new URL(`../${path}`, import.meta.url)
	);
}

/** The kinds of fairlead.dev. */
export async function readCrds(): Promise<object[]> {
	const folder = inPackage("crds/");
	const files = (await readdir(folder)).filter((name) =>
		name.endsWith(".yaml"),
	);
	return Promise.all(
		files.map(
			async (name) =>
				parse(await readFile(new URL(name, folder), "utf8")) as object,
		),
	);
}

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

/** What `npm start` shows: examples/services/hello.yaml in namespace default. */
export async function sampleObjects(): Promise<ObjectOf[]> {
	const file = inPackage("examples/services/hello.yaml");
	const kinds: Record<string, Resource> = {
		Deployment: resources.deployments,
		Service: resources.services,
	};
	return parseAllDocuments(await readFile(file, "utf8")).map((document) => {
		const object = document.toJS() as KubeObject;
		const resource = kinds[object.kind ?? ""];
		if (!resource) throw new Error(`${file.pathname} has a ${object.kind}`);
		object.metadata.namespace = sampleService.namespace;
		return { resource, object };
	});
}
