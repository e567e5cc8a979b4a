import type { RulesCompiler } from "../../model/rules/compiler.ts";
import type { ExternalIPJudge } from "../../model/rules/service-addresses.ts";
import { grantOf, readGrants } from "../../model/external-ips/grants.ts";
import type { AgentStores } from "../stores.ts";

const policy = "compiled";

/**
 * Has the compiler check external IPs against ExternalIPPolicy `compiled`, for as long as there is one: what admission let
 * through before the policy was there, or where it is not installed, is not carried. Nor is anything before it is known
 * whether there is a policy, and while the labels that it looks at are not. `changed` is called whenever there is something
 * to compile. Returns what ends it.
 */
export function followPolicy(
	{
		policies,
		namespaces,
		read: reading,
	}: NonNullable<AgentStores["externalIPs"]>,
	compiler: RulesCompiler,
	changed: () => void,
): () => void {
	const known = { policies: false, namespaces: false };
	const read = () => {
		const spec = policies.get(policy)?.spec;
		if (!known.policies || (spec && !known.namespaces))
			return compiler.setJudge(nothing);
		const grants = spec && readGrants(spec);
		compiler.setJudge(
			grants &&
				((service, address) =>
					grantOf(
						grants,
						namespaces.get(service.metadata.namespace ?? "")?.metadata.labels ??
							{},
						service.metadata.labels ?? {},
						address,
					)),
		);
	};
	read();
	let ended = false;
	for (const each of ["policies", "namespaces"] as const)
		void reading[each].then(() => {
			known[each] = true;
			if (ended) return;
			read();
			changed();
		});
	const undo = [
		policies.onChange(({ object }) => {
			if (object.metadata.name !== policy) return;
			read();
			changed();
		}),
		namespaces.onChange((change) => {
			const { labels, name } = change.object.metadata;
			if (
				change.type === "updated" &&
				JSON.stringify(change.old.metadata.labels) === JSON.stringify(labels)
			)
				return;
			compiler.touchNamespace(name);
			if (compiler.pending > 0) changed();
		}),
	];
	return () => {
		ended = true;
		for (const each of undo) each();
	};
}

const nothing: ExternalIPJudge = () => ({
	kind: "NotGranted",
	pool: undefined,
});
