import {
	allVerbs,
	groupVersion,
	type Kind,
	type Kinds,
	type Subresource,
} from "./kinds.ts";
import type { JsonObject } from "./schema/decode.ts";

/** Answers of /api, /apis and below, from the kinds that are served. */

/** A resource that only takes a POST and stores nothing. */
export interface Review {
	group: string;
	plural: string;
	kind: string;
}

export const reviews: Review[] = [
	{
		group: "authentication.k8s.io",
		plural: "selfsubjectreviews",
		kind: "SelfSubjectReview",
	},
	{
		group: "authorization.k8s.io",
		plural: "selfsubjectaccessreviews",
		kind: "SelfSubjectAccessReview",
	},
	{
		group: "authorization.k8s.io",
		plural: "selfsubjectrulesreviews",
		kind: "SelfSubjectRulesReview",
	},
];

export function verbsOf(kind: Kind, subresource?: Subresource): string[] {
	switch (subresource) {
		case "finalize":
			return ["update"];
		case "log":
			return ["get"];
		case "attach":
		case "exec":
		case "portforward":
			return ["create", "get"];
		case "binding":
		case "eviction":
			return ["create"];
		case "scale":
		case "status":
			return ["get", "patch", "update"];
		case undefined:
			break;
	}
	return allVerbs.filter(
		(verb) =>
			!(verb === "deletecollection" && kind.collection === "namespaces"),
	);
}

/** What a subresource takes and gives, where it is not the kind itself. */
function subresourceKind(kind: Kind, subresource: Subresource) {
	const { group, version } = kind;
	switch (subresource) {
		case "scale":
			return { group: "autoscaling", version: "v1", kind: "Scale" };
		case "eviction":
			return { group: "policy", version: "v1", kind: "Eviction" };
		case "binding":
			return { group, version, kind: "Binding" };
		case "exec":
			return { group, version, kind: "PodExecOptions" };
		case "attach":
			return { group, version, kind: "PodAttachOptions" };
		case "portforward":
			return { group, version, kind: "PodPortForwardOptions" };
		case "finalize":
		case "log":
		case "status":
			return { group, version, kind: kind.kind };
	}
}

interface Group {
	name: string;
	versions: Map<string, { kinds: Kind[]; reviews: Review[] }>;
}

function groupsOf(kinds: Kinds): Group[] {
	const groups = new Map<string, Group>();
	const at = (name: string, version: string) => {
		let group = groups.get(name);
		if (!group) groups.set(name, (group = { name, versions: new Map() }));
		let found = group.versions.get(version);
		if (!found)
			group.versions.set(version, (found = { kinds: [], reviews: [] }));
		return found;
	};
	for (const kind of kinds.all) at(kind.group, kind.version).kinds.push(kind);
	for (const review of reviews) at(review.group, "v1").reviews.push(review);
	return [...groups.values()];
}

/** The document for `path`, or undefined if it is none of discovery's. */
export function discover(
	kinds: Kinds,
	path: string,
	accept: string,
	address: string,
): { object: JsonObject; contentType?: string } | undefined {
	const parts = path.split("/").filter(Boolean);
	const groups = groupsOf(kinds);
	if (path === "/api" || path === "/apis") {
		const core = path === "/api";
		const wanted = groups.filter((group) => (group.name === "") === core);
		const aggregated = /as=APIGroupDiscoveryList/.test(accept);
		if (aggregated) {
			const version =
				/v=v2beta1/.test(accept) && !/v=v2[;,]|v=v2$/.test(accept)
					? "v2beta1"
					: "v2";
			return {
				object: aggregate(wanted, version),
				contentType: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
			};
		}
		return {
			object: core
				? {
						kind: "APIVersions",
						versions: ["v1"],
						serverAddressByClientCIDRs: [
							{ clientCIDR: "0.0.0.0/0", serverAddress: address },
						],
					}
				: {
						kind: "APIGroupList",
						apiVersion: "v1",
						groups: wanted.map(apiGroup),
					},
		};
	}
	const [root, first, second, more] = parts;
	if (root === "api" && first === "v1" && second === undefined)
		return resourceList(groups, "", "v1");
	if (root !== "apis" || more !== undefined || first === undefined)
		return undefined;
	const group = groups.find((one) => one.name === first && one.name !== "");
	if (!group) return undefined;
	if (second === undefined)
		return {
			object: { kind: "APIGroup", apiVersion: "v1", ...apiGroup(group) },
		};
	return resourceList(groups, first, second);
}

function apiGroup(group: Group): JsonObject {
	const versions = [...group.versions.keys()].map((version) => ({
		groupVersion: groupVersion({ group: group.name, version }),
		version,
	}));
	return {
		name: group.name,
		versions,
		preferredVersion: versions[0] as JsonObject,
	};
}

function resourceList(groups: Group[], name: string, version: string) {
	const found = groups
		.find((group) => group.name === name)
		?.versions.get(version);
	if (!found) return undefined;
	const resources: JsonObject[] = [];
	for (const kind of found.kinds) {
		resources.push({
			name: kind.plural,
			singularName: kind.singular,
			namespaced: kind.namespaced,
			kind: kind.kind,
			verbs: verbsOf(kind),
			...(kind.shortNames.length ? { shortNames: kind.shortNames } : {}),
			...(kind.categories.length ? { categories: kind.categories } : {}),
		});
		for (const subresource of kind.subresources) {
			const { group, version: v, kind: k } = subresourceKind(kind, subresource);
			resources.push({
				name: `${kind.plural}/${subresource}`,
				singularName: "",
				namespaced: kind.namespaced,
				...(group === kind.group ? {} : { group, version: v }),
				kind: k,
				verbs: verbsOf(kind, subresource),
			});
		}
	}
	for (const review of found.reviews)
		resources.push({
			name: review.plural,
			singularName: review.kind.toLowerCase(),
			namespaced: false,
			kind: review.kind,
			verbs: ["create"],
		});
	return {
		object: {
			kind: "APIResourceList",
			...(name ? { apiVersion: "v1" } : {}),
			groupVersion: groupVersion({ group: name, version }),
			resources,
		},
	};
}

function aggregate(groups: Group[], version: string): JsonObject {
	return {
		kind: "APIGroupDiscoveryList",
		apiVersion: `apidiscovery.k8s.io/${version}`,
		metadata: {},
		items: groups.map((group) => ({
			metadata: group.name ? { name: group.name } : {},
			versions: [...group.versions].map(
				([name, { kinds, reviews: posts }]) => ({
					version: name,
					freshness: "Current",
					resources: [
						...kinds.map((kind) => ({
							resource: kind.plural,
							responseKind: responseKind(kind),
							scope: kind.namespaced ? "Namespaced" : "Cluster",
							singularResource: kind.singular,
							verbs: verbsOf(kind),
							...(kind.shortNames.length
								? { shortNames: kind.shortNames }
								: {}),
							...(kind.categories.length
								? { categories: kind.categories }
								: {}),
							...(kind.subresources.length
								? {
										subresources: kind.subresources.map((subresource) => ({
											subresource,
											responseKind: responseKind(
												subresourceKind(kind, subresource),
											),
											verbs: verbsOf(kind, subresource),
										})),
									}
								: {}),
						})),
						...posts.map((review) => ({
							resource: review.plural,
							responseKind: responseKind({ ...review, version: "v1" }),
							scope: "Cluster",
							singularResource: review.kind.toLowerCase(),
							verbs: ["create"],
						})),
					],
				}),
			),
		})),
	};
}

const responseKind = (kind: {
	group: string;
	version: string;
	kind: string;
}) => ({ group: kind.group, version: kind.version, kind: kind.kind });
