import type { Columns } from "./columns.ts";
import * as columns from "./columns.ts";
import type { JsonObject } from "./schema/decode.ts";
import { type StructType, structType } from "./schema/types.ts";
import type { Strategy } from "./strategy.ts";
import { deploymentStrategy, replicaSetStrategy } from "./strategies/apps.ts";
import {
	configMapStrategy,
	endpointsStrategy,
	endpointSliceStrategy,
	eventStrategy,
	leaseStrategy,
	secretStrategy,
	serviceAccountStrategy,
} from "./strategies/plain.ts";
import { namespaceStrategy } from "./strategies/namespace.ts";
import { nodeStrategy, podStrategy } from "./strategies/pod.ts";
import { coreEvent, eventsEvent } from "./strategies/event-versions.ts";

export type Verb =
	| "create"
	| "delete"
	| "deletecollection"
	| "get"
	| "list"
	| "patch"
	| "update"
	| "watch";

export const allVerbs: readonly Verb[] = [
	"create",
	"delete",
	"deletecollection",
	"get",
	"list",
	"patch",
	"update",
	"watch",
];

export type Subresource =
	| "attach"
	| "binding"
	| "eviction"
	| "exec"
	| "finalize"
	| "log"
	| "portforward"
	| "scale"
	| "status";

/** One version of a kind as it is served. */
export interface Kind {
	group: string;
	version: string;
	plural: string;
	singular: string;
	kind: string;
	listKind: string;
	shortNames: string[];
	categories: string[];
	namespaced: boolean;
	subresources: Subresource[];
	/** Of its objects. */
	type: StructType;
	/** Name of the type in OpenAPI. */
	schemaName: string;
	strategy: Strategy;
	columns: Columns;
	/** Where its objects are stored; several versions share one. */
	collection: string;
	/** From and to the form that is stored, where it is not this version's. */
	fromStored?: (object: JsonObject) => JsonObject;
	toStored?: (object: JsonObject) => JsonObject;
	/** What the server says whenever it is asked for objects of the kind. */
	deprecation?: string;
	/** For kinds that a CustomResourceDefinition adds. */
	custom?: { schema: JsonObject };
}

type Options = Partial<
	Pick<
		Kind,
		| "shortNames"
		| "categories"
		| "subresources"
		| "singular"
		| "collection"
		| "fromStored"
		| "toStored"
		| "columns"
		| "deprecation"
		| "strategy"
	>
> & { clusterScoped?: boolean };

function kind(
	group: string,
	plural: string,
	name: string,
	typeName: string,
	schemaGroup: string,
	options: Options,
): Kind {
	return {
		group,
		version: "v1",
		plural,
		singular: options.singular ?? name.toLowerCase(),
		kind: name,
		listKind: `${name}List`,
		shortNames: options.shortNames ?? [],
		categories: options.categories ?? [],
		namespaced: !options.clusterScoped,
		subresources: options.subresources ?? [],
		get type() {
			return structType(typeName);
		},
		schemaName: `${schemaGroup}.v1.${name}`,
		strategy: options.strategy ?? {},
		columns: options.columns ?? columns.nameAndAge,
		collection: options.collection ?? (group ? `${plural}.${group}` : plural),
		...(options.deprecation && { deprecation: options.deprecation }),
		...(options.fromStored && { fromStored: options.fromStored }),
		...(options.toStored && { toStored: options.toStored }),
	};
}

const core = (plural: string, name: string, options: Options) =>
	kind("", plural, name, name, "io.k8s.api.core", options);
const grouped = (
	group: string,
	prefix: string,
	plural: string,
	name: string,
	options: Options,
) =>
	kind(
		group,
		plural,
		name,
		`${prefix}.${name}`,
		`io.k8s.api.${prefix}`,
		options,
	);

/** The kinds a server is born with; `service` is the strategy that owns the address and port allocators. */
export function builtInKinds(service: Strategy, crd: Strategy): Kind[] {
	return [
		core("namespaces", "Namespace", {
			clusterScoped: true,
			shortNames: ["ns"],
			subresources: ["status", "finalize"],
			columns: columns.namespaces,
			strategy: namespaceStrategy,
		}),
		core("services", "Service", {
			shortNames: ["svc"],
			categories: ["all"],
			subresources: ["status"],
			columns: columns.services,
			strategy: service,
		}),
		core("endpoints", "Endpoints", {
			shortNames: ["ep"],
			deprecation:
				"v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
			columns: columns.endpoints,
			strategy: endpointsStrategy,
		}),
		core("pods", "Pod", {
			shortNames: ["po"],
			categories: ["all"],
			subresources: [
				"attach",
				"binding",
				"eviction",
				"exec",
				"log",
				"portforward",
				"status",
			],
			columns: columns.pods,
			strategy: podStrategy,
		}),
		core("nodes", "Node", {
			clusterScoped: true,
			shortNames: ["no"],
			subresources: ["status"],
			columns: columns.nodes,
			strategy: nodeStrategy,
		}),
		core("secrets", "Secret", {
			columns: columns.secrets,
			strategy: secretStrategy,
		}),
		core("configmaps", "ConfigMap", {
			shortNames: ["cm"],
			columns: columns.configMaps,
			strategy: configMapStrategy,
		}),
		core("serviceaccounts", "ServiceAccount", {
			shortNames: ["sa"],
			strategy: serviceAccountStrategy,
		}),
		core("events", "Event", {
			shortNames: ["ev"],
			columns: columns.events,
			strategy: eventStrategy,
		}),
		grouped("events.k8s.io", "events", "events", "Event", {
			shortNames: ["ev"],
			columns: columns.events,
			collection: "events",
			fromStored: eventsEvent,
			toStored: coreEvent,
		}),
		grouped("apps", "apps", "deployments", "Deployment", {
			shortNames: ["deploy"],
			categories: ["all"],
			subresources: ["status", "scale"],
			columns: columns.deployments,
			strategy: deploymentStrategy,
		}),
		grouped("apps", "apps", "replicasets", "ReplicaSet", {
			shortNames: ["rs"],
			categories: ["all"],
			subresources: ["status", "scale"],
			columns: columns.replicaSets,
			strategy: replicaSetStrategy,
		}),
		grouped(
			"discovery.k8s.io",
			"discovery",
			"endpointslices",
			"EndpointSlice",
			{
				columns: columns.endpointSlices,
				strategy: endpointSliceStrategy,
			},
		),
		grouped("coordination.k8s.io", "coordination", "leases", "Lease", {
			columns: columns.leases,
			strategy: leaseStrategy,
		}),
		kind(
			"apiextensions.k8s.io",
			"customresourcedefinitions",
			"CustomResourceDefinition",
			"ext.CustomResourceDefinition",
			"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions",
			{
				clusterScoped: true,
				shortNames: ["crd", "crds"],
				categories: ["api-extensions"],
				subresources: ["status"],
				columns: columns.customResourceDefinitions,
				strategy: crd,
			},
		),
	];
}

/** `apps/v1`, `v1`. */
export function groupVersion(kind: { group: string; version: string }): string {
	return kind.group ? `${kind.group}/${kind.version}` : kind.version;
}

/** The kinds that are served now, and how they are found. */
export class Kinds {
	#kinds: Kind[] = [];
	#byPath = new Map<string, Kind>();
	#changes = 0;

	constructor(kinds: Kind[]) {
		this.set(kinds);
	}

	/** Replaces all kinds; `generation` tells caches. */
	set(kinds: Kind[]): void {
		this.#kinds = kinds;
		this.#byPath = new Map(
			kinds.map((kind) => [`${groupVersion(kind)}/${kind.plural}`, kind]),
		);
		this.#changes++;
	}

	/** Rises whenever the kinds change. */
	get generation(): number {
		return this.#changes;
	}

	get all(): readonly Kind[] {
		return this.#kinds;
	}

	find(group: string, version: string, plural: string): Kind | undefined {
		return this.#byPath.get(`${groupVersion({ group, version })}/${plural}`);
	}

	/** The kind of an object by its own apiVersion and kind. */
	ofObject(apiVersion: string, name: string): Kind | undefined {
		return this.#kinds.find(
			(kind) => kind.kind === name && groupVersion(kind) === apiVersion,
		);
	}

	/** One kind for each place where objects are stored: the first version served. */
	stored(): Kind[] {
		const seen = new Map<string, Kind>();
		for (const kind of this.#kinds)
			if (!seen.has(kind.collection)) seen.set(kind.collection, kind);
		return [...seen.values()];
	}
}
