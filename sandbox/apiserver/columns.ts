import {
	numberAt,
	objectAt,
	objectsAt,
	stringAt,
	stringMapAt,
	stringsAt,
} from "./access.ts";
import { humanDuration } from "./human-duration.ts";
import { formatLabelSelector } from "./label-selector.ts";
import { podCells } from "./pod-cells.ts";
import type { Json, JsonObject } from "./schema/decode.ts";

export interface Column {
	name: string;
	type: string;
	format?: string;
	/** 0: always shown; 1: with `-o wide`. */
	priority?: number;
	description?: string;
}

/** How a kind is shown as a table (pkg/printers/internalversion); `now` in ms. */
export interface Columns {
	definitions: Column[];
	cells(object: JsonObject, now: number): Json[];
}

const described: Record<string, string> = {
	Name: "Name must be unique within a namespace.",
	Age: "Time since the object was created.",
};

/** `Name Type Selector*`: a star marks what only `-o wide` shows, `#` a whole number. */
function define(
	text: string,
	cells: (object: JsonObject, now: number) => Json[],
): Columns {
	return {
		definitions: text.split(",").map((entry) => {
			const name = entry.replace(/[*#]/g, "");
			return {
				name,
				type: entry.includes("#") ? "integer" : "string",
				format: name === "Name" ? "name" : "",
				description: described[name] ?? "",
				priority: entry.includes("*") ? 1 : 0,
			};
		}),
		cells,
	};
}

const nameOf = (object: JsonObject) => stringAt(object, "metadata", "name");

export function since(time: string, now: number): string {
	return time ? humanDuration(now - Date.parse(time)) : "<unknown>";
}

const age = (object: JsonObject, now: number) =>
	since(stringAt(object, "metadata", "creationTimestamp"), now);

const labels = (map: Record<string, string>) =>
	Object.keys(map)
		.sort()
		.map((key) => `${key}=${map[key]}`)
		.join(",") || "<none>";

export const nameAndAge = define("Name,Age", (object, now) => [
	nameOf(object),
	age(object, now),
]);

function externalAddresses(service: JsonObject): string {
	const spec = objectAt(service, "spec");
	const external = stringsAt(spec, "externalIPs");
	switch (spec["type"]) {
		case "ExternalName":
			return stringAt(spec, "externalName");
		case "LoadBalancer": {
			const ingress = objectsAt(service, "status", "loadBalancer", "ingress")
				.map((one) => stringAt(one, "ip") || stringAt(one, "hostname"))
				.filter(Boolean);
			return (
				[...new Set(ingress)].sort().concat(external).join(",") || "<pending>"
			);
		}
		default:
			return external.join(",") || "<none>";
	}
}

export const services = define(
	"Name,Type,Cluster-IP,External-IP,Port(s),Age,Selector*",
	(service, now) => {
		const spec = objectAt(service, "spec");
		const ports = objectsAt(spec, "ports").map((port) => {
			const node = numberAt(port, "nodePort");
			return `${numberAt(port, "port")}${node ? `:${node}` : ""}/${stringAt(port, "protocol")}`;
		});
		return [
			nameOf(service),
			stringAt(spec, "type"),
			stringsAt(spec, "clusterIPs")[0] || "<none>",
			externalAddresses(service),
			ports.join(",") || "<none>",
			age(service, now),
			labels(stringMapAt(spec, "selector")),
		];
	},
);

const joinPort = (ip: string, port: number) =>
	ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;

/** The first three, and how many more. */
function firstThree(list: string[]): string {
	if (list.length <= 3) return list.join(",");
	return `${list.slice(0, 3).join(",")} + ${list.length - 3} more...`;
}

export const endpoints = define("Name,Endpoints,Age", (object, now) => {
	const subsets = objectsAt(object, "subsets");
	const list = subsets.flatMap((subset) => {
		const ips = objectsAt(subset, "addresses").map((one) =>
			stringAt(one, "ip"),
		);
		const ports = objectsAt(subset, "ports");
		if (ports.length === 0) return ips;
		return ports.flatMap((port) =>
			ips.map((ip) => joinPort(ip, numberAt(port, "port"))),
		);
	});
	return [
		nameOf(object),
		subsets.length === 0 ? "<none>" : firstThree(list),
		age(object, now),
	];
});

export const endpointSlices = define(
	"Name,AddressType,Ports,Endpoints,Age",
	(slice, now) => {
		const ports = objectsAt(slice, "ports").map((port) =>
			port["port"] === undefined ? "*" : String(numberAt(port, "port")),
		);
		const list = objectsAt(slice, "endpoints").flatMap((one) =>
			stringsAt(one, "addresses"),
		);
		return [
			nameOf(slice),
			stringAt(slice, "addressType"),
			ports.length === 0 ? "<unset>" : firstThree(ports),
			list.length === 0 ? "<unset>" : firstThree(list),
			age(slice, now),
		];
	},
);

export const pods = define(
	"Name,Ready,Status,Restarts,Age,IP*,Node*,Nominated Node*,Readiness Gates*",
	(pod, now) => {
		const { ready, status, restarts } = podCells(pod, now);
		return [
			nameOf(pod),
			ready,
			status,
			restarts,
			age(pod, now),
			stringAt(pod, "status", "podIP") || "<none>",
			stringAt(pod, "spec", "nodeName") || "<none>",
			stringAt(pod, "status", "nominatedNodeName") || "<none>",
			"<none>",
		];
	},
);

export const nodes = define(
	"Name,Status,Roles,Age,Version,Internal-IP*,External-IP*,OS-Image*,Kernel-Version*,Container-Runtime*",
	(node, now) => {
		const ready = objectsAt(node, "status", "conditions").find(
			(one) => one["type"] === "Ready",
		);
		const status = [
			!ready ? "Unknown" : ready["status"] === "True" ? "Ready" : "NotReady",
		];
		if (objectAt(node, "spec")["unschedulable"] === true)
			status.push("SchedulingDisabled");
		const roles = Object.entries(stringMapAt(node, "metadata", "labels"))
			.flatMap(([key, value]) =>
				key.startsWith("node-role.kubernetes.io/")
					? [key.slice("node-role.kubernetes.io/".length)]
					: key === "kubernetes.io/role" && value
						? [value]
						: [],
			)
			.filter(Boolean)
			.sort();
		const info = objectAt(node, "status", "nodeInfo");
		const address = (type: string) =>
			stringAt(
				objectsAt(node, "status", "addresses").find(
					(one) => one["type"] === type,
				),
				"address",
			) || "<none>";
		const architecture = stringAt(info, "architecture");
		return [
			nameOf(node),
			status.join(","),
			roles.join(",") || "<none>",
			age(node, now),
			stringAt(info, "kubeletVersion"),
			address("InternalIP"),
			address("ExternalIP"),
			stringAt(info, "osImage") || "<unknown>",
			(stringAt(info, "kernelVersion") || "<unknown>") +
				(architecture ? ` (${architecture})` : ""),
			stringAt(info, "containerRuntimeVersion") || "<unknown>",
		];
	},
);

export const namespaces = define("Name,Status,Age", (namespace, now) => [
	nameOf(namespace),
	stringAt(namespace, "status", "phase"),
	age(namespace, now),
]);

export const secrets = define("Name,Type,Data,Age", (secret, now) => [
	nameOf(secret),
	stringAt(secret, "type"),
	Object.keys(objectAt(secret, "data")).length,
	age(secret, now),
]);

export const configMaps = define("Name,Data,Age", (map, now) => [
	nameOf(map),
	Object.keys(objectAt(map, "data")).length +
		Object.keys(objectAt(map, "binaryData")).length,
	age(map, now),
]);

export const leases = define("Name,Holder,Age", (lease, now) => [
	nameOf(lease),
	stringAt(lease, "spec", "holderIdentity"),
	age(lease, now),
]);

function images(object: JsonObject): [names: string, images: string] {
	const containers = objectsAt(
		object,
		"spec",
		"template",
		"spec",
		"containers",
	);
	return [
		containers.map((one) => stringAt(one, "name")).join(","),
		containers.map((one) => stringAt(one, "image")).join(","),
	];
}

export const deployments = define(
	"Name,Ready,Up-to-date,Available,Age,Containers*,Images*,Selector*",
	(object, now) => [
		nameOf(object),
		`${numberAt(object, "status", "readyReplicas")}/${numberAt(object, "spec", "replicas")}`,
		numberAt(object, "status", "updatedReplicas"),
		numberAt(object, "status", "availableReplicas"),
		age(object, now),
		...images(object),
		formatLabelSelector(objectAt(object, "spec", "selector")),
	],
);

export const replicaSets = define(
	"Name,Desired#,Current#,Ready#,Age,Containers*,Images*,Selector*",
	(object, now) => [
		nameOf(object),
		numberAt(object, "spec", "replicas"),
		numberAt(object, "status", "replicas"),
		numberAt(object, "status", "readyReplicas"),
		age(object, now),
		...images(object),
		formatLabelSelector(objectAt(object, "spec", "selector")),
	],
);

export const events = define(
	"Last Seen,Type,Reason,Object,Subobject*,Source*,Message,First Seen*,Count*,Name*",
	(event, now) => {
		// Either version of the kind.
		const either = (core: string, other: string) => event[core] ?? event[other];
		const involved = objectAt(
			{ at: either("involvedObject", "regarding") ?? null },
			"at",
		);
		const text = (core: string, other: string) =>
			stringAt({ at: either(core, other) ?? null }, "at");
		const first = since(
			text("firstTimestamp", "deprecatedFirstTimestamp") ||
				stringAt(event, "eventTime"),
			now,
		);
		const lastTime = text("lastTimestamp", "deprecatedLastTimestamp");
		const series = objectAt(event, "series");
		const seriesTime = stringAt(series, "lastObservedTime");
		const source = objectAt(
			{ at: either("source", "deprecatedSource") ?? null },
			"at",
		);
		const component =
			stringAt(source, "component") ||
			text("reportingComponent", "reportingController");
		const host =
			stringAt(source, "host") || stringAt(event, "reportingInstance");
		const kind = stringAt(involved, "kind").toLowerCase();
		const name = stringAt(involved, "name");
		return [
			seriesTime
				? since(seriesTime, now)
				: lastTime
					? since(lastTime, now)
					: first,
			stringAt(event, "type"),
			stringAt(event, "reason"),
			name ? `${kind}/${name}` : kind,
			stringAt(involved, "fieldPath"),
			host ? `${component}, ${host}` : component,
			text("message", "note").trim(),
			first,
			numberAt(series, "count") ||
				Number(either("count", "deprecatedCount") ?? 0) ||
				1,
			nameOf(event),
		];
	},
);

export const customResourceDefinitions: Columns = {
	definitions: [
		{
			name: "Name",
			type: "string",
			format: "name",
			description: described["Name"] ?? "",
			priority: 0,
		},
		{
			name: "Created At",
			type: "date",
			format: "",
			description: "Time the object was created.",
			priority: 0,
		},
	],
	cells: (object) => [
		nameOf(object),
		stringAt(object, "metadata", "creationTimestamp"),
	],
};
