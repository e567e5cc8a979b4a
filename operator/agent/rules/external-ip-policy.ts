import type { RulesCompiler } from "../../model/rules/compiler.ts";
import { grantOf, readGrants } from "../../model/external-ips/grants.ts";
import type { AgentStores } from "../stores.ts";

const policy = "compiled";

/**
 * Has the compiler check external IPs against ExternalIPPolicy `compiled`, for as long as there is one: what admission let
 * through before the policy was there, or where it is not installed, is not carried. `changed` is called whenever there is
 * something to compile. Returns what ends it.
 */
export function followPolicy(
	{ policies, namespaces }: NonNullable<AgentStores["externalIPs"]>,
	compiler: RulesCompiler,
	changed: () => void,
): () => void {
	const read = () => {
		const spec = policies.get(policy)?.spec;
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
		for (const each of undo) each();
	};
}
