type Json = Record<string, unknown>;

interface Meta {
	name: string;
	labels?: Record<string, string>;
	annotations?: Record<string, string>;
	deletionTimestamp?: string;
	ownerReferences?: { kind: string; name: string; controller?: boolean }[];
}

interface Workload extends Json {
	metadata: Meta;
	spec: {
		replicas: number;
		minReadySeconds?: number;
		selector: Json;
		template: Json;
	};
	status?: Json & { conditions?: Json[] };
}

export interface Objects {
	deployments: Workload[];
	replicaSets: Workload[];
	pods: {
		metadata: Meta;
		spec: { nodeName?: string };
		status?: { phase?: string; podIP?: string };
	}[];
	endpointSlices: (Json & {
		metadata: Meta;
		endpoints?: (Json & { addresses: string[]; targetRef?: Json })[];
		ports?: Json[];
	})[];
	endpoints: (Json & {
		metadata: Meta;
		subsets?: {
			addresses?: Json[];
			notReadyAddresses?: Json[];
			ports?: Json[];
		}[];
	})[];
	services: { metadata: Meta }[];
}

/** What two clusters must agree on: everything but names, uids, hashes and times. */
export interface Snapshot {
	deployments: (Json & {
		status: Record<string, number> & { conditions: Json[] };
	})[];
	replicaSets: (Json & {
		revision: string;
		replicas: number;
		status: Record<string, number>;
	})[];
	pods: string[];
	slices: (Json & { endpoints: Json[]; ports: Json[] })[];
	endpoints: Json[];
}

export function snapshot(objects: Objects): Snapshot {
	const hashes = objects.replicaSets
		.map(({ metadata }) => metadata.labels?.["pod-template-hash"])
		.filter((hash) => hash !== undefined);
	const { pods, ...rest } = withoutChance(facts(objects), hashes) as Snapshot;
	return { ...rest, pods: [...pods].sort() };
}

function facts(objects: Objects) {
	return {
		deployments: objects.deployments.map(({ metadata, spec, status }) => ({
			name: metadata.name,
			annotations: metadata.annotations,
			replicas: spec.replicas,
			status: { ...status, conditions: sorted(status?.conditions ?? []) },
		})),
		replicaSets: sorted(
			objects.replicaSets.map(({ metadata, spec, status }) => ({
				revision:
					metadata.annotations?.["deployment.kubernetes.io/revision"] ?? "",
				annotations: metadata.annotations,
				labels: metadata.labels,
				owners: metadata.ownerReferences,
				replicas: spec.replicas,
				minReadySeconds: spec.minReadySeconds ?? 0,
				selector: spec.selector,
				template: spec.template,
				status: { ...status, observedGeneration: 0 },
			})),
		),
		pods: objects.pods.map(({ metadata, spec, status }) => {
			const owner = metadata.ownerReferences?.[0];
			return [
				status?.podIP ?? "no address",
				spec.nodeName ?? "no node",
				status?.phase,
				metadata.deletionTimestamp ? "leaving" : "staying",
				owner ? `of ${owner.kind} ${owner.name}` : "of nobody",
				JSON.stringify(sorted(Object.entries(metadata.labels ?? {}))),
			].join(", ");
		}),
		slices: sorted(
			objects.endpointSlices.map(
				({ metadata, addressType, endpoints, ports }) => ({
					labels: metadata.labels,
					owners: metadata.ownerReferences,
					addressType,
					endpoints: sorted(endpoints ?? []),
					ports: sorted(ports ?? []),
				}),
			),
		),
		endpoints: objects.endpoints.map(({ metadata, subsets }) => ({
			name: metadata.name,
			labels: metadata.labels,
			owners: metadata.ownerReferences,
			subsets: sorted(
				(subsets ?? []).map(({ addresses, notReadyAddresses, ports }) => ({
					addresses: sorted(addresses ?? []),
					notReadyAddresses: sorted(notReadyAddresses ?? []),
					ports: sorted(ports ?? []),
				})),
			),
		})),
	};
}

const dropped = new Set([
	"uid",
	"lastTransitionTime",
	"lastUpdateTime",
	"creationTimestamp",
	"endpoints.kubernetes.io/last-change-trigger-time",
]);

function withoutChance(value: unknown, hashes: readonly string[]): unknown {
	if (typeof value === "string")
		return hashes
			.reduce((text, hash) => text.replaceAll(hash, "HASH"), value)
			.replace(/^((?:.*-)?HASH|bare|set)-[a-z0-9]{5}$/, "$1-POD");
	if (Array.isArray(value))
		return value.map((item) => withoutChance(item, hashes));
	if (typeof value !== "object" || value === null) return value;
	return Object.fromEntries(
		Object.entries(value)
			.filter(([key, each]) => !dropped.has(key) && each !== null)
			.map(([key, each]) => [key, withoutChance(each, hashes)]),
	);
}

/** In the order of their text, keys sorted. */
function sorted<T>(items: readonly T[]): T[] {
	const text = (value: unknown) =>
		JSON.stringify(value, (key, each: unknown) => {
			if (dropped.has(key)) return undefined;
			if (key === "pod-template-hash") return "HASH";
			if (key === "targetRef") return undefined;
			return typeof each === "object" && each !== null && !Array.isArray(each)
				? Object.fromEntries(
						Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)),
					)
				: each;
		});
	return [...items].sort((a, b) => (text(a) < text(b) ? -1 : 1));
}
