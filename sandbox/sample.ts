/** What the sandbox starts with: a default class on the bundled cloud, nodes, and one Service that answers. */

export const sampleService = { namespace: "default", name: "hello" };
export const tokenSecret = { namespace: "kube-system", name: "cloud-token" };

export interface SampleOptions {
	cloudUrl: string;
	token: string;
	nodes: { name: string; address: string; serverId: number }[];
}

export interface SampleObject {
	resource: { group: string; version: string; plural: string; kind: string };
	object: Record<string, unknown> & {
		metadata: { name: string; namespace?: string };
	};
}

const core = (plural: string, kind: string) => ({
	group: "",
	version: "v1",
	plural,
	kind,
});

/** Objects in the order in which they are created. */
export function sampleObjects(options: SampleOptions): SampleObject[] {
	const { nodes } = options;
	return [
		{
			resource: core("secrets", "Secret"),
			object: {
				apiVersion: "v1",
				kind: "Secret",
				metadata: tokenSecret,
				data: { token: Buffer.from(options.token).toString("base64") },
			},
		},
		{
			resource: {
				group: "fairlead.dev",
				version: "v1alpha1",
				plural: "balancerclasses",
				kind: "BalancerClass",
			},
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
					},
				},
			},
		},
		...nodes.map(({ name, address, serverId }) => ({
			resource: core("nodes", "Node"),
			object: {
				apiVersion: "v1",
				kind: "Node",
				metadata: { name },
				spec: { providerID: `hcloud://${serverId}` },
				status: {
					addresses: [
						{ type: "InternalIP", address },
						{ type: "Hostname", address: name },
					],
					conditions: [{ type: "Ready", status: "True" }],
				},
			},
		})),
		{
			resource: core("services", "Service"),
			object: {
				apiVersion: "v1",
				kind: "Service",
				metadata: sampleService,
				spec: {
					type: "LoadBalancer",
					ports: [{ name: "http", port: 80, targetPort: 8080 }],
				},
			},
		},
	];
}
