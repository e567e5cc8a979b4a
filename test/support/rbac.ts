import { readFile } from "node:fs/promises";

/** One request of a user, as the API server's audit log has it (audit.k8s.io/v1 Event). */
export interface Use {
	verb: string;
	/** `group/resource[/subresource]`, group "" for the core. */
	resource: string;
	/** Undefined for cluster-scoped objects, and for all namespaces at once. */
	namespace: string | undefined;
	name: string | undefined;
	code: number;
	/** Of what is no resource, such as /version. */
	uri: string;
	user: string;
}

/** One verb on one resource that a role grants. */
export interface Grant {
	role: string;
	/** Of a Role; undefined for a ClusterRole bound everywhere. */
	namespace: string | undefined;
	verb: string;
	resource: string;
	/** Undefined: any. */
	name: string | undefined;
}

interface AuditEvent {
	stage: string;
	verb: string;
	requestURI: string;
	user: { username: string };
	objectRef?: {
		apiGroup?: string;
		resource: string;
		subresource?: string;
		namespace?: string;
		name?: string;
	};
	responseStatus?: { code?: number };
}

interface RoleObject {
	kind: string;
	metadata: { name: string; namespace?: string };
	rules?: {
		apiGroups?: string[];
		resources?: string[];
		resourceNames?: string[];
		verbs: string[];
	}[];
}

/** Policy that logs what these users ask for, without bodies. */
export function auditPolicyFor(users: readonly string[]): string {
	return JSON.stringify({
		apiVersion: "audit.k8s.io/v1",
		kind: "Policy",
		omitStages: ["RequestReceived"],
		rules: [{ level: "Metadata", users }, { level: "None" }],
	});
}

/** What is in the log so far. */
export async function usesIn(auditLog: string): Promise<Use[]> {
	const lines = (await readFile(auditLog, "utf8")).split("\n");
	// The last one may be half written.
	lines.pop();
	return lines.map((line) => {
		const event = JSON.parse(line) as AuditEvent;
		const ref = event.objectRef;
		return {
			verb: event.verb,
			resource: ref
				? `${ref.apiGroup ?? ""}/${ref.resource}${ref.subresource ? `/${ref.subresource}` : ""}`
				: "",
			namespace: ref?.namespace,
			name: ref?.name,
			code: event.responseStatus?.code ?? 0,
			uri: event.requestURI,
			user: event.user.username,
		};
	});
}

export function grantsOf(roles: readonly RoleObject[]): Grant[] {
	return roles.flatMap(({ kind, metadata, rules = [] }) =>
		rules.flatMap((rule) =>
			(rule.apiGroups ?? []).flatMap((group) =>
				(rule.resources ?? []).flatMap((resource) =>
					rule.verbs.flatMap((verb) =>
						(rule.resourceNames ?? [undefined]).map((name) => ({
							role: `${kind} ${metadata.name}`,
							namespace: metadata.namespace,
							verb,
							resource: `${group}/${resource}`,
							name,
						})),
					),
				),
			),
		),
	);
}

/** Whether it takes the grant, or one like it, to be allowed to do that. */
export function covers(grant: Grant, use: Use): boolean {
	return (
		grant.verb === use.verb &&
		grant.resource === use.resource &&
		(grant.namespace === undefined || grant.namespace === use.namespace) &&
		(grant.name === undefined || grant.name === use.name)
	);
}

/**
 * Grants that allow more than what was used: those nothing needed, and those of a ClusterRole whose every use was in one
 * and the same namespace, for which a Role would have done.
 */
export function excessOf(
	grants: readonly Grant[],
	uses: readonly Use[],
): string[] {
	return grants.flatMap((grant) => {
		const covered = uses.filter((use) => covers(grant, use));
		const what = `${grant.role}: ${grant.verb} ${grant.resource}${grant.name ? ` ${grant.name}` : ""}`;
		if (covered.length === 0) return [`${what}: never used`];
		const namespaces = new Set(covered.map(({ namespace }) => namespace));
		const [only] = namespaces;
		const narrow =
			grant.namespace === undefined &&
			namespaces.size === 1 &&
			only !== undefined &&
			// Kinds without namespaces have an object's own name there: audit gives none.
			grant.resource !== "/namespaces";
		return narrow ? [`${what}: used in namespace ${only} alone`] : [];
	});
}

/** What was asked for and no grant allows, or was refused as forbidden; each once. */
export function lackOf(
	grants: readonly Grant[],
	uses: readonly Use[],
): string[] {
	const lacking = uses
		.filter(
			(use) => use.code === 403 || !grants.some((grant) => covers(grant, use)),
		)
		.map(
			({ verb, resource, namespace, code, uri }) =>
				`${verb} ${resource || uri}${namespace ? ` in ${namespace}` : ""} (${code})`,
		);
	return [...new Set(lacking)].sort();
}
