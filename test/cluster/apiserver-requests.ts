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

const services = "/api/v1/namespaces/NS/services";
const configMaps = "/api/v1/namespaces/NS/configmaps";
const deployments = "/apis/apps/v1/namespaces/NS/deployments";

const service = (name: string, spec: object = {}, metadata: object = {}) => ({
	apiVersion: "v1",
	kind: "Service",
	metadata: { name, ...metadata },
	spec: { ports: [{ port: 80 }], selector: { app: "web" }, ...spec },
});
const create = (name: string, spec?: object, metadata?: object): Step => ({
	method: "POST",
	path: services,
	body: service(name, spec, metadata),
});
const get = (path: string, accept?: string): Step => ({
	method: "GET",
	path,
	...(accept ? { accept } : {}),
});
const patch = (
	as: NonNullable<Step["as"]>,
	path: string,
	body: unknown,
): Step => ({ method: "PATCH", path, as, body });
const balancer = { type: "LoadBalancer" };
const deployment = (name: string, spec: object = {}) => ({
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
const condition = (type: string, status = "True") => ({
	type,
	status,
	reason: "Tested",
	message: "",
	lastTransitionTime: "2026-01-01T00:00:00Z",
});

export const rows: Row[] = [
	// Services: defaults and allocation
	["a Service gets a ClusterIP and defaults", create("web")],
	["a NodePort Service gets ports", create("web", { type: "NodePort" })],
	[
		"a LoadBalancer Service gets everything a NodePort Service has",
		create("web", balancer),
	],
	[
		"a LoadBalancer Service with policy Local gets a health check port",
		create("web", { ...balancer, externalTrafficPolicy: "Local" }),
	],
	[
		"a LoadBalancer Service may do without NodePorts",
		create("web", { ...balancer, allocateLoadBalancerNodePorts: false }),
	],
	["a headless Service has no address", create("web", { clusterIP: "None" })],
	[
		"a headless Service without a selector is of both families",
		create("web", { clusterIP: "None", selector: null }),
	],
	[
		"an ExternalName Service is a name and nothing else",
		create("web", {
			type: "ExternalName",
			externalName: "example.com",
			ports: [],
		}),
	],
	[
		"session affinity has a default timeout",
		create("web", { sessionAffinity: "ClientIP" }),
	],
	[
		"TCP and UDP of one port share a NodePort",
		create("web", {
			type: "NodePort",
			ports: [
				{ name: "t", port: 53, protocol: "TCP" },
				{ name: "u", port: 53, protocol: "UDP" },
			],
		}),
	],
	[
		"a NodePort that is held is refused",
		create("first", {
			type: "NodePort",
			ports: [{ port: 80, nodePort: 30011 }],
		}),
		create("second", {
			type: "NodePort",
			ports: [{ port: 80, nodePort: 30011 }],
		}),
	],
	[
		"a NodePort outside the range is refused",
		create("web", { type: "NodePort", ports: [{ port: 80, nodePort: 80 }] }),
	],
	[
		"a ClusterIP that is held is refused",
		create("first", { clusterIP: "10.96.0.77" }),
		create("second", { clusterIP: "10.96.0.77" }),
	],
	[
		"a ClusterIP outside the range is refused",
		create("web", { clusterIP: "192.0.2.1" }),
	],
	[
		"a second family is refused where there is one",
		create("web", { ipFamilyPolicy: "RequireDualStack" }),
		create("web", { ipFamilies: ["IPv6"] }),
		create("web", { ipFamilyPolicy: "PreferDualStack" }),
	],
	[
		"a dry run shows the base of the range and keeps nothing",
		{ ...create("web", balancer), path: `${services}?dryRun=All` },
		get(`${services}/web`),
	],
	[
		"external IPs are warned about and make a traffic policy needed",
		create("web", { externalIPs: ["203.0.113.4"] }),
	],

	// Services: validation
	["a Service needs ports", create("web", { ports: [] })],
	[
		"several ports need names",
		create("web", { ports: [{ port: 80 }, { port: 81 }] }),
	],
	[
		"ports of one number and protocol, and names, are given once",
		create("web", {
			ports: [
				{ name: "a", port: 80 },
				{ name: "a", port: 80 },
			],
		}),
	],
	[
		"ports, names and protocols have their bounds",
		create("web", {
			ports: [
				{ name: "UP", port: 0, protocol: "ICMP", targetPort: "no--name" },
			],
		}),
	],
	["a Service's name is a DNS label", create("web.two")],
	["a Service's name may begin with a digit", create("2web")],
	["a type must be known", create("web", { type: "Balancer" })],
	[
		"a class is for LoadBalancer Services",
		create("web", { loadBalancerClass: "fairlead.dev/x" }),
		create("web", { ...balancer, loadBalancerClass: "not a name" }),
		create("web", { ...balancer, loadBalancerClass: "fairlead.dev/x" }),
	],
	[
		"a class does not change while the type stays",
		create("web", { ...balancer, loadBalancerClass: "fairlead.dev/x" }),
		patch("merge", `${services}/web`, {
			spec: { loadBalancerClass: "fairlead.dev/y" },
		}),
	],
	[
		"source ranges are CIDRs, of LoadBalancer Services",
		create("web", { ...balancer, loadBalancerSourceRanges: ["10.0.0.0"] }),
		create("web", { loadBalancerSourceRanges: ["10.0.0.0/8"] }),
	],
	[
		"external IPs are addresses that are not special",
		create("web", { externalIPs: ["127.0.0.1", "x", "0.0.0.0"] }),
	],
	[
		"a NodePort is not for ClusterIP Services",
		create("web", { ports: [{ port: 80, nodePort: 30012 }] }),
	],
	[
		"a traffic policy is for externally accessible Services",
		create("web", { externalTrafficPolicy: "Local" }),
		create("web", { ...balancer, externalTrafficPolicy: "Far" }),
	],
	[
		"a headless Service cannot be balanced",
		create("web", { ...balancer, clusterIP: "None" }),
	],
	[
		"an ExternalName must be a name and have no address",
		create("web", { type: "ExternalName", externalName: "Not_A_Name" }),
		create("web", { type: "ExternalName", clusterIP: "10.96.0.9" }),
	],
	[
		"a distribution must be known",
		create("web", { trafficDistribution: "Near" }),
	],

	// Services: updates
	[
		"leaving LoadBalancer clears class, NodePorts and ingress and keeps conditions",
		create("web", { ...balancer, loadBalancerClass: "fairlead.dev/x" }),
		patch("merge", `${services}/web/status`, {
			status: {
				loadBalancer: { ingress: [{ ip: "203.0.113.9" }] },
				conditions: [condition("fairlead.dev/Serving")],
			},
		}),
		patch("merge", `${services}/web`, { spec: { type: "ClusterIP" } }),
	],
	[
		"becoming ExternalName gives the address back",
		create("web"),
		patch("merge", `${services}/web`, {
			spec: { type: "ExternalName", externalName: "example.com" },
		}),
		patch("merge", `${services}/web`, { spec: { type: "ClusterIP" } }),
	],
	[
		"a ClusterIP does not change",
		create("web"),
		patch("merge", `${services}/web`, { spec: { clusterIP: "10.96.0.78" } }),
	],
	[
		"switching NodePorts off keeps those that are there",
		create("web", balancer),
		patch("merge", `${services}/web`, {
			spec: { allocateLoadBalancerNodePorts: false },
		}),
	],
	[
		"an update that leaves out what was allocated keeps it",
		create("web", { ...balancer, ports: [{ port: 80, nodePort: 30013 }] }),
		{ method: "PUT", path: `${services}/web`, body: service("web", balancer) },
	],
	[
		"policy Local comes and goes with its health check port",
		create("web", balancer),
		patch("merge", `${services}/web`, {
			spec: { externalTrafficPolicy: "Local" },
		}),
		patch("merge", `${services}/web`, { spec: { healthCheckNodePort: 30014 } }),
		patch("merge", `${services}/web`, {
			spec: { externalTrafficPolicy: "Cluster" },
		}),
	],

	// Status
	[
		"status takes ingress, ports and conditions, and metadata too",
		create("web", balancer),
		patch("strategic", `${services}/web/status`, {
			metadata: { annotations: { a: "b" }, finalizers: ["example.com/x"] },
			status: {
				loadBalancer: {
					ingress: [
						{ ip: "203.0.113.9", ports: [{ port: 80, protocol: "TCP" }] },
						{ hostname: "lb.example.com" },
					],
				},
				conditions: [condition("A")],
			},
		}),
		patch("strategic", `${services}/web/status`, {
			status: { conditions: [condition("B")] },
		}),
	],
	[
		"ingress is checked",
		create("web", balancer),
		patch("merge", `${services}/web/status`, {
			status: {
				loadBalancer: {
					ingress: [
						{ ip: "nowhere" },
						{ hostname: "203.0.113.9" },
						{ hostname: "x", ipMode: "VIP" },
						{ ip: "203.0.113.9", ipMode: "Other" },
					],
				},
			},
		}),
	],
	[
		"ingress is for LoadBalancer Services",
		create("web"),
		patch("merge", `${services}/web/status`, {
			status: { loadBalancer: { ingress: [{ ip: "203.0.113.9" }] } },
		}),
	],
	[
		"status does not change the spec",
		create("web", balancer),
		patch("merge", `${services}/web/status`, {
			spec: { sessionAffinity: "ClientIP" },
		}),
	],

	// Patches
	[
		"a JSON patch that does not apply is invalid",
		create("web"),
		patch("json", `${services}/web`, [{ op: "remove", path: "/spec/nothing" }]),
		patch("json", `${services}/web`, [
			{ op: "test", path: "/spec/type", value: "x" },
		]),
		patch("json", `${services}/web`, { op: "add" }),
	],
	[
		"a JSON patch adds, replaces, moves, copies and removes",
		create("web", {}, { labels: { a: "1", b: "2" } }),
		patch("json", `${services}/web`, [
			{ op: "test", path: "/spec/type", value: "ClusterIP" },
			{ op: "add", path: "/metadata/annotations", value: {} },
			{ op: "add", path: "/metadata/annotations/x~1y", value: "z" },
			{ op: "move", from: "/metadata/labels/a", path: "/metadata/labels/c" },
			{ op: "copy", from: "/metadata/labels/b", path: "/metadata/labels/d" },
			{ op: "replace", path: "/spec/ports/0/targetPort", value: "http" },
			{ op: "remove", path: "/metadata/labels/b" },
		]),
	],
	[
		"a strategic patch merges ports by number and deletes by directive",
		create("web", {
			ports: [
				{ name: "a", port: 80 },
				{ name: "b", port: 81 },
			],
		}),
		patch("strategic", `${services}/web`, {
			spec: {
				ports: [
					{ $patch: "delete", port: 80 },
					{ name: "c", port: 82 },
					{ port: 81, targetPort: 8081 },
				],
			},
		}),
		patch("strategic", `${services}/web`, {
			spec: { ports: [{ name: "keyless" }] },
		}),
		patch("strategic", `${services}/web`, {
			spec: { ports: [{ $patch: "replace" }, { port: 90 }] },
		}),
	],
	[
		"a strategic patch adds to and takes from lists of names",
		create("web", {}, { finalizers: ["example.com/a", "example.com/b"] }),
		patch("strategic", `${services}/web`, {
			metadata: { finalizers: ["example.com/c"] },
		}),
		patch("strategic", `${services}/web`, {
			metadata: { "$deleteFromPrimitiveList/finalizers": ["example.com/b"] },
		}),
		patch("merge", `${services}/web`, { metadata: { finalizers: null } }),
	],
	[
		"a patch with another resourceVersion is a conflict, with another uid invalid",
		create("web"),
		patch("merge", `${services}/web`, {
			metadata: { resourceVersion: "1" },
			spec: { type: "NodePort" },
		}),
		patch("merge", `${services}/web`, { metadata: { uid: "other" } }),
	],
	[
		"a patch of an unknown format or object is refused",
		patch("merge", `${services}/nothing`, {}),
		{ method: "PATCH", path: `${services}/nothing`, body: {} },
	],
	[
		"a name does not change by a patch",
		create("web"),
		patch("merge", `${services}/web`, { metadata: { name: "other" } }),
	],
	[
		"an unknown field in a patch is warned about or refused",
		create("web"),
		patch("merge", `${services}/web?fieldValidation=Strict`, {
			spec: { colour: "red" },
		}),
		patch("merge", `${services}/web`, { spec: { colour: "red" } }),
		patch("strategic", `${services}/web?fieldValidation=Strict`, {
			spec: { colour: "red" },
		}),
	],

	// Server-side apply
	[
		"applying owns what is said, and takes back what is no longer said",
		patch("apply", `${services}/web?fieldManager=one`, {
			...service("web", balancer),
			metadata: { name: "web", labels: { a: "1", b: "2" } },
		}),
		patch("apply", `${services}/web?fieldManager=one`, {
			...service("web"),
			metadata: { name: "web", labels: { a: "1" } },
		}),
	],
	[
		"applying against another manager is a conflict unless forced",
		patch(
			"apply",
			`${services}/web?fieldManager=one`,
			service("web", balancer),
		),
		patch("apply", `${services}/web?fieldManager=two`, {
			apiVersion: "v1",
			kind: "Service",
			metadata: { name: "web" },
			spec: { type: "NodePort", sessionAffinity: "ClientIP" },
		}),
		patch("apply", `${services}/web?fieldManager=two&force=true`, {
			apiVersion: "v1",
			kind: "Service",
			metadata: { name: "web" },
			spec: { type: "NodePort" },
		}),
	],
	[
		"ports are applied by number and protocol",
		patch(
			"apply",
			`${services}/web?fieldManager=one`,
			service("web", {
				ports: [
					{ name: "t", port: 53, protocol: "TCP" },
					{ name: "u", port: 53, protocol: "UDP" },
				],
			}),
		),
		patch("apply", `${services}/web?fieldManager=two`, {
			apiVersion: "v1",
			kind: "Service",
			metadata: { name: "web" },
			spec: { ports: [{ port: 53, protocol: "UDP", targetPort: 5353 }] },
		}),
		patch("apply", `${services}/web?fieldManager=two&force=true`, {
			apiVersion: "v1",
			kind: "Service",
			metadata: { name: "web" },
			spec: { ports: [{ port: 53, protocol: "UDP", targetPort: 5353 }] },
		}),
	],
	[
		"conditions are applied one by one",
		create("web", balancer),
		patch("apply", `${services}/web/status?fieldManager=one`, {
			apiVersion: "v1",
			kind: "Service",
			metadata: { name: "web" },
			status: { conditions: [condition("A"), condition("B")] },
		}),
		patch("apply", `${services}/web/status?fieldManager=one`, {
			apiVersion: "v1",
			kind: "Service",
			metadata: { name: "web" },
			status: { conditions: [condition("B", "False")] },
		}),
	],
	[
		"applying needs a manager, the right version and no managedFields",
		patch("apply", `${services}/web`, service("web")),
		patch("apply", `${services}/web?fieldManager=one`, {
			...service("web"),
			apiVersion: "v2",
		}),
		patch("apply", `${services}/web?fieldManager=one`, {
			...service("web"),
			metadata: { name: "web", managedFields: [{ manager: "x" }] },
		}),
		patch("apply", `${services}/web?fieldManager=one`, {
			...service("web", { colour: "red" }),
		}),
	],

	// Objects in general
	["a name is taken once", create("web"), create("web")],
	[
		"what is not there is not found",
		get(`${services}/nothing`),
		{ method: "DELETE", path: `${services}/nothing` },
		get(`${deployments}/nothing`),
		get("/api/v1/namespaces/nowhere-at-all"),
		{
			method: "POST",
			path: "/api/v1/namespaces/nowhere-at-all/services",
			body: service("web"),
		},
	],
	[
		"unknown paths, versions and resources are not found",
		get("/api/v1/namespaces/NS/nothings"),
		get("/apis/nothing.example.com/v1"),
		get("/apis/apps/v9/deployments"),
		get("/nothing"),
	],
	[
		"unknown fields are refused, warned about or ignored",
		{
			...create("web", { colour: "red" }),
			path: `${services}?fieldValidation=Strict`,
		},
		{
			...create("two", { colour: "red" }),
			path: `${services}?fieldValidation=Ignore`,
		},
		create("web", { colour: "red" }),
		{ ...create("web"), path: `${services}?fieldValidation=Maybe` },
	],
	[
		"values of the wrong type are refused",
		create("web", { ports: "80" }),
		create("web", { ports: [{ port: "80" }] }),
		create("web", { selector: { a: 1 } }),
		create("web", { allocateLoadBalancerNodePorts: "yes" }),
	],
	[
		"a body must be of the kind and version of its path",
		{
			method: "POST",
			path: services,
			body: { ...service("web"), kind: "Pod" },
		},
		{
			method: "POST",
			path: services,
			body: { ...service("web"), apiVersion: "apps/v1" },
		},
		{ method: "POST", path: services, body: "{" },
		{ method: "POST", path: services, body: [] },
	],
	[
		"name and namespace must match the path",
		create("web", {}, { namespace: "elsewhere" }),
		create("web"),
		{ method: "PUT", path: `${services}/web`, body: service("other") },
		{
			method: "PUT",
			path: `${services}/web`,
			body: service("web", {}, { namespace: "elsewhere" }),
		},
	],
	[
		"a stale update is a conflict, one of another uid too",
		create("web"),
		{
			method: "PUT",
			path: `${services}/web`,
			body: service("web", {}, { resourceVersion: "1" }),
		},
		{
			method: "PUT",
			path: `${services}/web`,
			body: service("web", {}, { uid: "other" }),
		},
	],
	[
		"metadata is checked",
		create("web", {}, { labels: { "a b": "c" } }),
		create("web", {}, { labels: { d: "e f" } }),
		create("web", {}, { finalizers: ["plain"] }),
		{ method: "POST", path: configMaps, body: { metadata: { labels: {} } } },
		{
			method: "POST",
			path: configMaps,
			body: { metadata: { name: "UPPER" } },
		},
		create("web", {}, { annotations: { "a b": "c" } }),
		create("web", {}, { resourceVersion: "5" }),
	],
	[
		"deleting answers with the Service, or with a Status for kinds that do that",
		create("web"),
		{ method: "DELETE", path: `${services}/web` },
		{ method: "POST", path: configMaps, body: { metadata: { name: "map" } } },
		{ method: "DELETE", path: `${configMaps}/map` },
	],
	[
		"deleting what has a finalizer only marks it, and adds no finalizer later",
		create("web", {}, { finalizers: ["example.com/x"] }),
		{ method: "DELETE", path: `${services}/web` },
		{ method: "DELETE", path: `${services}/web` },
		patch("merge", `${services}/web`, {
			metadata: { finalizers: ["example.com/x", "example.com/y"] },
		}),
		patch("merge", `${services}/web`, { metadata: { finalizers: null } }),
		get(`${services}/web`),
	],
	[
		"deletion has preconditions",
		create("web"),
		{
			method: "DELETE",
			path: `${services}/web`,
			body: { preconditions: { uid: "other" } },
		},
		{
			method: "DELETE",
			path: `${services}/web`,
			body: { preconditions: { resourceVersion: "1" } },
		},
		{ method: "DELETE", path: `${services}/web?dryRun=All` },
		get(`${services}/web`),
	],
	[
		"a PUT creates a Service that is not there",
		{ method: "PUT", path: `${services}/web`, body: service("web") },
	],

	// Lists and watches
	[
		"lists are selected by labels and fields",
		create("web", {}, { labels: { app: "web" } }),
		create("api", balancer, { labels: { app: "api" } }),
		get(`${services}?labelSelector=app%3Dweb`),
		get(`${services}?labelSelector=app%20notin%20(web)`),
		get(`${services}?labelSelector=!app`),
		get(`${services}?fieldSelector=spec.type%3DLoadBalancer`),
		get(`${services}?fieldSelector=metadata.name!%3Dweb`),
	],
	[
		"unknown fields and bad selectors are refused",
		get(`${services}?fieldSelector=spec.externalName%3Dx`),
		get(`${configMaps}?fieldSelector=data%3Dx`),
		get(`${services}?fieldSelector=x`),
		get(`${services}?labelSelector=a%20b`),
		get(`${services}?labelSelector=a%3Db%20c`),
	],
	[
		"list options are checked",
		get(`${services}?resourceVersionMatch=Exact`),
		get(`${services}?resourceVersionMatch=Other&resourceVersion=1`),
		get(`${services}?resourceVersionMatch=Exact&resourceVersion=0`),
		get(`${services}?resourceVersion=abc`),
		get(`${services}?continue=abc`),
		get(`${services}?sendInitialEvents=true`),
		get(`${services}?resourceVersion=99999999`),
		get(`${services}?watch=1&sendInitialEvents=true`),
		get(`${services}?watch=1&resourceVersionMatch=NotOlderThan`),
	],
	[
		"Services are shown as a table",
		create("web", {}, { labels: { app: "web" } }),
		create("api", { ...balancer, ports: [{ port: 80, nodePort: 30015 }] }),
		create("head", { clusterIP: "None", selector: null }),
		create("name", { type: "ExternalName", externalName: "example.com" }),
		get(
			services,
			"application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
		),
		get(
			`${services}/api`,
			"application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
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
