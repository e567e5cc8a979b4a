import {
	configMaps,
	deployments,
	create,
	get,
	patch,
	deployment,
	type Row,
} from "./apiserver-step.ts";

/** Kinds other than Services. */
export const kindRows: Row[] = [
	[
		"the Service kubernetes leads to the API server",
		get("/api/v1/namespaces/default/services/kubernetes"),
		get("/api/v1/namespaces/default/endpoints/kubernetes"),
		get(
			"/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes",
		),
	],

	// Other kinds
	[
		"a Deployment is defaulted",
		{ method: "POST", path: deployments, body: deployment("web") },
		get(deployments, "application/json;as=Table;v=v1;g=meta.k8s.io"),
	],
	[
		"a Deployment is scaled by its scale",
		{ method: "POST", path: deployments, body: deployment("web") },
		get(`${deployments}/web/scale`),
		patch("merge", `${deployments}/web/scale`, { spec: { replicas: 3 } }),
		patch("merge", `${deployments}/web/scale`, { spec: { replicas: -1 } }),
		get(`${deployments}/web`),
	],
	[
		"a Deployment's selector must match and stay",
		{
			method: "POST",
			path: deployments,
			body: deployment("web", { selector: { matchLabels: { app: "other" } } }),
		},
		{
			method: "POST",
			path: deployments,
			body: deployment("web", { selector: undefined }),
		},
		{ method: "POST", path: deployments, body: deployment("web") },
		patch("merge", `${deployments}/web`, {
			spec: {
				selector: { matchLabels: { app: "b" } },
				template: { metadata: { labels: { app: "b" } } },
			},
		}),
	],
	[
		"a change of a Deployment's spec is a generation, of its status not",
		{ method: "POST", path: deployments, body: deployment("web") },
		patch("merge", `${deployments}/web/status`, {
			status: { replicas: 1, observedGeneration: 1 },
		}),
		patch("merge", `${deployments}/web`, { spec: { paused: true } }),
	],
	[
		"a Secret takes text and shows bytes, and may be immutable",
		{
			method: "POST",
			path: "/api/v1/namespaces/NS/secrets",
			body: {
				metadata: { name: "s" },
				stringData: { a: "b" },
				immutable: true,
			},
		},
		patch("merge", "/api/v1/namespaces/NS/secrets/s", {
			data: { a: "Yw==" },
		}),
		patch("merge", "/api/v1/namespaces/NS/secrets/s", { immutable: false }),
	],
	[
		"an EndpointSlice is defaulted and keeps its address type",
		{
			method: "POST",
			path: "/apis/discovery.k8s.io/v1/namespaces/NS/endpointslices",
			body: {
				metadata: {
					name: "web-1",
					labels: { "kubernetes.io/service-name": "web" },
				},
				addressType: "IPv4",
				ports: [{ port: 80 }],
				endpoints: [{ addresses: ["10.0.0.1"], conditions: { ready: true } }],
			},
		},
		patch(
			"merge",
			"/apis/discovery.k8s.io/v1/namespaces/NS/endpointslices/web-1",
			{ addressType: "IPv6" },
		),
	],
	[
		"an EndpointSlice holds addresses that are not special",
		{
			method: "POST",
			path: "/apis/discovery.k8s.io/v1/namespaces/NS/endpointslices",
			body: {
				metadata: { name: "web-1" },
				addressType: "IPv4",
				endpoints: [{ addresses: ["127.0.0.1"] }, { addresses: [] }],
			},
		},
		{
			method: "POST",
			path: "/apis/discovery.k8s.io/v1/namespaces/NS/endpointslices",
			body: { metadata: { name: "web-1" }, endpoints: [] },
		},
	],
	[
		"a Lease is stored as it is, to the microsecond",
		{
			method: "POST",
			path: "/apis/coordination.k8s.io/v1/namespaces/NS/leases",
			body: {
				metadata: { name: "lead" },
				spec: {
					holderIdentity: "one",
					leaseDurationSeconds: 15,
					renewTime: "2026-01-01T00:00:00.123456Z",
				},
			},
		},
	],
	[
		"an Event is the same in both its versions",
		{
			method: "POST",
			path: "/apis/events.k8s.io/v1/namespaces/NS/events",
			body: {
				metadata: { name: "told" },
				eventTime: "2026-01-01T00:00:00.000000Z",
				reason: "Ensured",
				note: "done",
				type: "Normal",
				action: "Ensure",
				reportingController: "fairlead",
				reportingInstance: "one",
				regarding: { kind: "Service", name: "web", namespace: "NS" },
			},
		},
		get("/api/v1/namespaces/NS/events/told"),
	],
	[
		"a Node takes addresses in its status only",
		{
			method: "POST",
			path: "/api/v1/nodes",
			body: {
				metadata: { name: "node-NS" },
				spec: { providerID: "x://1" },
				status: { addresses: [{ type: "InternalIP", address: "10.0.0.1" }] },
			},
		},
		patch("strategic", "/api/v1/nodes/node-NS/status", {
			status: {
				addresses: [{ type: "InternalIP", address: "10.0.0.2" }],
				conditions: [{ type: "Ready", status: "True" }],
			},
		}),
		{ method: "DELETE", path: "/api/v1/nodes/node-NS" },
	],
	[
		"a namespace is active until it is deleted, and then takes nothing in",
		get("/api/v1/namespaces/NS"),
		// Somebody must hold the namespace: here nobody empties it, there it is gone in a moment.
		{
			method: "POST",
			path: configMaps,
			body: { metadata: { name: "held", finalizers: ["example.com/hold"] } },
		},
		{ method: "DELETE", path: "/api/v1/namespaces/NS" },
		create("web"),
	],
];
