import type { Node, Pod, Service } from "../../operator/api/core.ts";
import type { Deployment, ReplicaSet } from "../objects.ts";

/** Objects for the tests of the controllers: whole enough to be decided upon. */

/** `seconds` after the beginning of all tests, as the API writes it. */
export const at = (seconds: number) =>
	`${new Date(start + seconds * 1000).toISOString().slice(0, 19)}Z`;

export const start = Date.UTC(2026, 0, 1);

interface PodSketch {
	labels?: Record<string, string>;
	annotations?: Record<string, string>;
	node?: string;
	ip?: string;
	ips?: string[];
	phase?: "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";
	/** Seconds at which it became ready; absent: it is not. */
	ready?: number;
	created?: number;
	/** Is being deleted. */
	leaving?: boolean;
	restarts?: number;
	ports?: { name?: string; containerPort: number; protocol?: "UDP" | "SCTP" }[];
	owner?: string;
	spec?: Partial<Pod["spec"]>;
}

export function pod(name: string, sketch: PodSketch = {}): Pod {
	const { ip, ips = ip === undefined ? [] : [ip], ready, restarts } = sketch;
	return {
		metadata: {
			name,
			namespace: "shop",
			uid: `uid-of-${name}`,
			resourceVersion: "1",
			creationTimestamp: at(sketch.created ?? 0),
			labels: sketch.labels ?? { app: "web" },
			...(sketch.annotations ? { annotations: sketch.annotations } : {}),
			...(sketch.leaving ? { deletionTimestamp: at(1) } : {}),
			...(sketch.owner === undefined
				? {}
				: {
						ownerReferences: [
							{
								apiVersion: "apps/v1",
								kind: "ReplicaSet",
								name: sketch.owner,
								uid: `uid-of-${sketch.owner}`,
								controller: true,
							},
						],
					}),
		},
		spec: {
			...(sketch.node === undefined ? {} : { nodeName: sketch.node }),
			containers: [{ name: "c", ports: sketch.ports ?? [] }],
			...sketch.spec,
		},
		status: {
			phase: sketch.phase ?? (ready === undefined ? "Pending" : "Running"),
			...(ips[0] === undefined
				? {}
				: { podIP: ips[0], podIPs: ips.map((each) => ({ ip: each })) }),
			...(ready === undefined
				? {}
				: {
						conditions: [
							{ type: "Ready", status: "True", lastTransitionTime: at(ready) },
						],
					}),
			...(restarts === undefined
				? {}
				: {
						containerStatuses: [
							{
								name: "c",
								ready: ready !== undefined,
								restartCount: restarts,
								image: "i",
								imageID: "",
							},
						],
					}),
		},
	};
}

export function service(
	spec: Partial<Service["spec"]> = {},
	labels?: Record<string, string>,
): Service {
	return {
		metadata: {
			name: "web",
			namespace: "shop",
			uid: "uid-of-service",
			creationTimestamp: at(0),
			...(labels ? { labels } : {}),
		},
		spec: {
			clusterIP: "10.96.0.7",
			ipFamilies: ["IPv4"],
			selector: { app: "web" },
			ports: [{ name: "http", port: 80, targetPort: 8080, protocol: "TCP" }],
			...spec,
		},
	};
}

export function node(
	name: string,
	spec: NonNullable<Node["spec"]> = {},
	more: { labels?: Record<string, string>; ready?: string; pods?: number } = {},
): Node {
	return {
		metadata: { name, labels: more.labels ?? {} },
		spec,
		status: {
			conditions: [{ type: "Ready", status: more.ready ?? "True" }],
			...(more.pods === undefined
				? {}
				: { allocatable: { pods: String(more.pods) } }),
		},
	};
}

const template = (image: string) => ({
	metadata: { labels: { app: "web" } },
	spec: { containers: [{ name: "c", image }] },
});

export function deployment(
	spec: Partial<Deployment["spec"]> = {},
	more: {
		image?: string;
		status?: Deployment["status"];
		annotations?: Record<string, string>;
		generation?: number;
		leaving?: boolean;
	} = {},
): Deployment {
	return {
		metadata: {
			name: "web",
			namespace: "shop",
			uid: "uid-of-web",
			generation: more.generation ?? 1,
			...(more.annotations ? { annotations: more.annotations } : {}),
			...(more.leaving ? { deletionTimestamp: at(1) } : {}),
		},
		spec: {
			replicas: 4,
			progressDeadlineSeconds: 600,
			revisionHistoryLimit: 10,
			selector: { matchLabels: { app: "web" } },
			template: template(more.image ?? "i:1"),
			strategy: {
				type: "RollingUpdate",
				rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" },
			},
			...spec,
		},
		...(more.status ? { status: more.status } : {}),
	};
}

/** A ReplicaSet of that Deployment: its revision decides its name, image and age. */
export function replicaSet(
	revision: number,
	replicas: number,
	more: {
		image?: string;
		available?: number;
		desired?: number;
		max?: number;
		pods?: number;
	} = {},
): ReplicaSet {
	const { available = replicas, pods = replicas, desired = 4 } = more;
	return {
		metadata: {
			name: `web-${revision}`,
			namespace: "shop",
			uid: `uid-of-web-${revision}`,
			generation: 1,
			creationTimestamp: at(revision),
			labels: { app: "web", "pod-template-hash": String(revision) },
			annotations: {
				"deployment.kubernetes.io/revision": String(revision),
				"deployment.kubernetes.io/desired-replicas": String(desired),
				"deployment.kubernetes.io/max-replicas": String(
					more.max ?? Math.ceil(desired * 1.25),
				),
			},
		},
		spec: {
			replicas,
			selector: { matchLabels: { app: "web" } },
			template: template(more.image ?? `i:${revision}`),
		},
		status: {
			replicas: pods,
			readyReplicas: available,
			availableReplicas: available,
			observedGeneration: 1,
		},
	};
}
