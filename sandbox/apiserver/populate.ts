import { isIPv6 } from "node:net";
import { objectAt } from "./access.ts";
import { readObject } from "./body.ts";
import { type Context, internalCall } from "./context.ts";
import type { JsonObject } from "./schema/decode.ts";
import { createObject, updateObject } from "./writes.ts";

/** Where the API server can be reached from pods. */
export interface Advertised {
	/** An IP address that is not loopback. */
	address: string;
	port: number;
}

const namespaces = ["default", "kube-node-lease", "kube-public", "kube-system"];

/**
 * What every cluster has from its first second: its namespaces, the Service `kubernetes` and, if `advertise` says where it
 * leads, its Endpoints and EndpointSlice (kube-apiserver's reconcilers package). What is there is brought up to date.
 */
export function populate(
	context: Context,
	options: {
		serviceIp: string;
		/** Of the Service's targetPort. */
		port: number;
		advertise: Advertised | undefined;
		crds: readonly object[];
	},
): void {
	const ensure = (
		group: string,
		plural: string,
		object: JsonObject,
		namespace?: string,
	) => {
		const kind = context.kinds.find(group, "v1", plural);
		if (!kind) throw new Error(`no kind ${plural}.${group}`);
		const name = objectAt(object, "metadata")["name"] as string;
		const wanted = readObject(kind, object, "Strict", () => {});
		const key = namespace ? `${namespace}/${name}` : name;
		const there = context.store.get(kind.collection, key) !== undefined;
		const call = {
			...internalCall(kind, there ? "update" : "create", namespace, name),
			userAgent: "kube-apiserver",
		};
		if (!there) createObject(context, call, wanted);
		else
			updateObject(context, call, (current) => {
				const { metadata: _, status: _status, ...rest } = wanted;
				for (const [field, value] of Object.entries(rest))
					current[field] =
						field === "spec" && plural === "services"
							? { ...objectAt(current, "spec"), ...(value as JsonObject) }
							: value;
				return current;
			});
	};
	for (const name of namespaces)
		ensure("", "namespaces", { metadata: { name } });
	ensure(
		"",
		"services",
		{
			metadata: {
				name: "kubernetes",
				labels: { component: "apiserver", provider: "kubernetes" },
			},
			spec: {
				clusterIP: options.serviceIp,
				ipFamilyPolicy: "SingleStack",
				ports: [{ name: "https", port: 443, targetPort: options.port }],
			},
		},
		"default",
	);
	if (options.advertise) {
		const { address, port } = options.advertise;
		const ports = [{ name: "https", port, protocol: "TCP" }];
		ensure(
			"",
			"endpoints",
			{
				metadata: {
					name: "kubernetes",
					labels: { "endpointslice.kubernetes.io/skip-mirror": "true" },
				},
				subsets: [{ addresses: [{ ip: address }], ports }],
			},
			"default",
		);
		ensure(
			"discovery.k8s.io",
			"endpointslices",
			{
				metadata: {
					name: "kubernetes",
					labels: { "kubernetes.io/service-name": "kubernetes" },
				},
				addressType: isIPv6(address) ? "IPv6" : "IPv4",
				endpoints: [{ addresses: [address], conditions: { ready: true } }],
				ports,
			},
			"default",
		);
	}
	for (const crd of options.crds)
		ensure(
			"apiextensions.k8s.io",
			"customresourcedefinitions",
			crd as JsonObject,
		);
}
