/** What the cluster of the DNS differential test holds: as kubectl takes it. */

const service = (namespace: string, name: string, spec: object) => ({
	apiVersion: "v1",
	kind: "Service",
	metadata: { namespace, name },
	spec,
});

interface EndpointSpec {
	addresses: string[];
	hostname?: string;
	conditions?: { ready?: boolean; terminating?: boolean; serving?: boolean };
}

const slice = (
	namespace: string,
	owner: string,
	endpoints: EndpointSpec[],
	ports: object[] = [{ name: "http", protocol: "TCP", port: 8080 }],
	suffix = "a",
) => ({
	apiVersion: "discovery.k8s.io/v1",
	kind: "EndpointSlice",
	metadata: {
		namespace,
		name: `${owner}-${suffix}`,
		labels: {
			"kubernetes.io/service-name": owner,
			"endpointslice.kubernetes.io/managed-by": "test",
		},
	},
	addressType: endpoints[0]?.addresses[0]?.includes(":") ? "IPv6" : "IPv4",
	endpoints,
	ports,
});

const namespace = (name: string) => ({
	apiVersion: "v1",
	kind: "Namespace",
	metadata: { name },
});

const http = { name: "http", port: 80 };

export const namespaces = [namespace("shop"), namespace("idle")];

export const objects = [
	service("default", "web", {
		clusterIP: "10.96.3.1",
		ports: [
			http,
			{ name: "metrics", port: 9, protocol: "UDP" },
			{ name: "admin", port: 81 },
		],
	}),
	slice("default", "web", [
		{ addresses: ["10.244.1.2"], conditions: { ready: true } },
		{ addresses: ["10.244.2.2"], conditions: {} },
		{ addresses: ["10.244.2.9"], conditions: { ready: false } },
	]),
	service("default", "plain", {
		clusterIP: "10.96.3.2",
		ports: [{ port: 80 }],
	}),
	service("default", "dual", {
		clusterIP: "10.96.3.3",
		clusterIPs: ["10.96.3.3", "fd00:10:96::33"],
		ipFamilyPolicy: "RequireDualStack",
		ports: [http],
	}),
	service("default", "six", {
		clusterIP: "fd00:10:96::44",
		ipFamilies: ["IPv6"],
		ports: [http],
	}),
	service("default", "peers", { clusterIP: "None", ports: [http] }),
	slice("default", "peers", [
		{ addresses: ["10.244.1.3"], conditions: { ready: true } },
		{
			addresses: ["10.244.1.4"],
			hostname: "db-0",
			conditions: { ready: true },
		},
		{
			addresses: ["10.244.2.4"],
			hostname: "db-0",
			conditions: { ready: true },
		},
		{ addresses: ["10.244.1.5"], conditions: { ready: false } },
		{
			addresses: ["10.244.1.6"],
			conditions: { ready: false, serving: true, terminating: true },
		},
	]),
	slice(
		"default",
		"peers",
		[{ addresses: ["10.244.1.3"], conditions: { ready: true } }],
		undefined,
		"again",
	),
	service("default", "peers6", {
		clusterIP: "None",
		ipFamilies: ["IPv6"],
		ports: [http],
	}),
	slice("default", "peers6", [
		{ addresses: ["fd00:244::7"], conditions: { ready: true } },
		{ addresses: ["fd00:245::"], conditions: { ready: true } },
	]),
	service("default", "empty", { clusterIP: "None", ports: [http] }),
	slice("default", "empty", [
		{ addresses: ["10.244.1.8"], conditions: { ready: false } },
	]),
	service("default", "bare", { clusterIP: "None" }),
	slice(
		"default",
		"bare",
		[{ addresses: ["10.244.1.9"], conditions: { ready: true } }],
		[],
	),
	service("default", "two", {
		clusterIP: "None",
		ports: [http, { name: "peer", port: 90 }],
	}),
	slice(
		"default",
		"two",
		[{ addresses: ["10.244.1.10"], conditions: { ready: true } }],
		[
			{ name: "http", protocol: "TCP", port: 8080 },
			{ name: "peer", protocol: "TCP", port: 9090 },
		],
	),
	service("default", "many", { clusterIP: "None", ports: [http] }),
	slice(
		"default",
		"many",
		Array.from({ length: 120 }, (_, n) => ({
			addresses: [`10.244.7.${n + 1}`],
			conditions: { ready: true },
		})),
	),
	service("default", "out", {
		type: "ExternalName",
		externalName: "www.example",
	}),
	service("default", "outchain", {
		type: "ExternalName",
		externalName: "alias.example",
	}),
	service("default", "outgone", {
		type: "ExternalName",
		externalName: "gone.example",
	}),
	service("default", "in", {
		type: "ExternalName",
		externalName: "web.default.svc.cluster.local",
	}),
	service("default", "inin", {
		type: "ExternalName",
		externalName: "in.default.svc.cluster.local",
	}),
	service("default", "lost", {
		type: "ExternalName",
		externalName: "gone.default.svc.cluster.local",
	}),
	service("default", "self", {
		type: "ExternalName",
		externalName: "self.default.svc.cluster.local",
	}),
	service("default", "ring", {
		type: "ExternalName",
		externalName: "gnir.default.svc.cluster.local",
	}),
	service("default", "gnir", {
		type: "ExternalName",
		externalName: "ring.default.svc.cluster.local",
	}),
	service("default", "number", {
		type: "ExternalName",
		externalName: "192.0.2.9",
	}),
	service("shop", "web", { clusterIP: "10.96.3.5", ports: [http] }),
	service("shop", "front", {
		type: "LoadBalancer",
		clusterIP: "10.96.3.6",
		ports: [http],
	}),
	service("shop", "waiting", {
		type: "LoadBalancer",
		clusterIP: "10.96.3.7",
		ports: [http],
	}),
];

export const ingress = {
	status: {
		loadBalancer: {
			ingress: [{ ip: "203.0.113.5" }, { ip: "2001:db8::5" }],
		},
	},
};

/** The last to be made: who knows it, and the last slice and namespace, knows all. */
export const marker = service("shop", "marker", { clusterIP: "None" });
export const markerSlice = slice(
	"shop",
	"marker",
	[{ addresses: ["10.244.9.9"], conditions: { ready: true } }],
	[],
);
