import {
	services,
	configMaps,
	deployments,
	service,
	create,
	get,
	patch,
	balancer,
	condition,
	type Row,
} from "./apiserver-step.ts";

/** What holds for objects of every kind: patches, server-side apply, metadata, deletion, lists. */
export const objectRows: Row[] = [
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
];
