/** One request; `NS` in paths and bodies stands for the row's own namespace. */
export interface Step {
	method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
	path: string;
	body?: unknown;
	/** Format of a PATCH. */
	as?: "json" | "merge" | "strategic" | "apply";
	accept?: string;
}

/** A sentence about the API server and the requests that show it. */
export type Row = [sentence: string, ...steps: Step[]];

export const services = "/api/v1/namespaces/NS/services";
export const configMaps = "/api/v1/namespaces/NS/configmaps";
export const deployments = "/apis/apps/v1/namespaces/NS/deployments";

export const service = (
	name: string,
	spec: object = {},
	metadata: object = {},
) => ({
	apiVersion: "v1",
	kind: "Service",
	metadata: { name, ...metadata },
	spec: { ports: [{ port: 80 }], selector: { app: "web" }, ...spec },
});
export const create = (
	name: string,
	spec?: object,
	metadata?: object,
): Step => ({
	method: "POST",
	path: services,
	body: service(name, spec, metadata),
});
export const get = (path: string, accept?: string): Step => ({
	method: "GET",
	path,
	...(accept ? { accept } : {}),
});
export const patch = (
	as: NonNullable<Step["as"]>,
	path: string,
	body: unknown,
): Step => ({ method: "PATCH", path, as, body });
export const balancer = { type: "LoadBalancer" };
export const deployment = (name: string, spec: object = {}) => ({
	apiVersion: "apps/v1",
	kind: "Deployment",
	metadata: { name },
	spec: {
		selector: { matchLabels: { app: "web" } },
		template: {
			metadata: { labels: { app: "web" } },
			spec: {
				containers: [
					{
						name: "web",
						image: "nginx:1.27",
						ports: [{ containerPort: 80 }],
						readinessProbe: { httpGet: { port: 80 } },
					},
				],
			},
		},
		...spec,
	},
});
export const condition = (type: string, status = "True") => ({
	type,
	status,
	reason: "Tested",
	message: "",
	lastTransitionTime: "2026-01-01T00:00:00Z",
});
