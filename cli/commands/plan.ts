import { readFile } from "node:fs/promises";
import { readCluster } from "../../operator/cluster/cluster-view.ts";
import { tryEdits } from "../../operator/cluster/dry-run.ts";
import type { KubeClient } from "../../operator/cluster/kube.ts";
import { FairleadError } from "../../operator/errors.ts";
import { ClusterFacts } from "../../operator/model/explain/cluster-facts.ts";
import type { Edit } from "../../operator/model/plan/edit.ts";
import { isWorse, planEdits } from "../../operator/model/plan/plan.ts";
import { askCluster } from "../ask-cluster.ts";
import type { planFlags } from "../asking-config.ts";
import type { FlagValues } from "../flags.ts";
import { planText } from "../output/plan-text.ts";
import { styleOf, wantsColour } from "../output/style.ts";
import { planDocuments } from "../plan-documents.ts";
import type { Runtime } from "../runtime.ts";

/** Exit code for an edit after which somebody is worse off, or that has problems. */
const worse = 3;

/** Prints what these edits would change. Resolves with the exit code. */
export async function plan(
	asked: FlagValues<typeof planFlags>,
	runtime: Runtime,
): Promise<number> {
	const edits: Edit[] = [];
	for (const file of asked.file)
		edits.push(...planDocuments(file, await read(file, runtime)));
	for (const given of asked.delete) edits.push(deletion(given));
	if (edits.length === 0)
		throw new FairleadError(
			"FlagInvalid",
			"nothing to plan: give --file FILE or --delete NAME",
		);
	const planned = await askCluster(
		asked,
		runtime,
		"fairlead-plan",
		async (client) => {
			const facts = await readFacts(client, asked.namespace, runtime);
			for (const edit of edits) mustExist(edit, facts);
			const { pools } = facts.snapshot;
			const present = { pools, classes: facts.classes };
			return planEdits(facts, edits, await tryEdits(client, edits, present));
		},
	);
	runtime.stdout(
		asked.output === "json"
			? JSON.stringify(planned, null, 2)
			: planText(
					planned,
					styleOf(
						wantsColour(asked.color, runtime.terminal.isTTY, runtime.env),
					),
				).join("\n"),
	);
	return planned.problems.length > 0 || planned.services.some(isWorse)
		? worse
		: 0;
}

async function readFacts(
	client: KubeClient,
	namespace: string,
	runtime: Runtime,
): Promise<ClusterFacts> {
	const snapshot = await readCluster(client, {
		clock: runtime.clock,
		namespace,
		// Endpoints have no say in who gets an address.
		about: { namespace: "none", name: "none" },
		signal: runtime.stop,
	});
	const [unread] = snapshot.unread.filter(({ resource }) =>
		needed.has(resource),
	);
	if (unread)
		throw new FairleadError(
			unread.why === "Missing" ? "KubeNotFound" : "KubeForbidden",
			`a plan needs ${unread.resource}: ${unread.message}`,
		);
	return new ClusterFacts(snapshot);
}

/** Without these a plan would be a guess. */
const needed = new Set([
	"addresspools.fairlead.dev",
	"balancerclasses.fairlead.dev",
	"namespaces",
]);

async function read(file: string, runtime: Runtime): Promise<string> {
	if (file === "-") return runtime.stdin();
	try {
		return await readFile(file, "utf8");
	} catch (cause) {
		throw new FairleadError(
			"FlagInvalid",
			`--file ${file}: ${(cause as Error).message}`,
			{ cause },
		);
	}
}

function deletion(given: string): Edit {
	const [name = "", kind = "addresspool"] = given.split("/").reverse();
	return {
		do: "delete",
		kind:
			kind.toLowerCase() === "balancerclass" ? "BalancerClass" : "AddressPool",
		name,
	};
}

/** Deleting what is not there is a slip of the pen, not an edit without effect. */
function mustExist(edit: Edit, { snapshot, classes }: ClusterFacts): void {
	if (edit.do !== "delete") return;
	const known = edit.kind === "AddressPool" ? snapshot.pools : classes;
	if (known.some(({ metadata }) => metadata.name === edit.name)) return;
	throw new FairleadError(
		"FlagInvalid",
		`--delete ${edit.name}: there is no ${edit.kind} of that name; there ${
			known.length === 0
				? "is none at all"
				: `are ${known
						.map(({ metadata }) => metadata.name)
						.sort()
						.join(", ")}`
		}`,
	);
}
