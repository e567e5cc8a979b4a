import type { KubeObject } from "../api/meta.ts";
import { isFairleadError } from "../errors.ts";
import type { Edit, Editable } from "../model/plan/edit.ts";
import type { PlanProblem, Tried } from "../model/plan/plan.ts";
import { type KubeClient, resources } from "./kube.ts";

const kinds = {
	AddressPool: { resource: resources.addressPools, among: "pools" },
	BalancerClass: { resource: resources.balancerClasses, among: "classes" },
} as const;

/**
 * Has the API server itself judge every document, rules of the kinds and admission policies included, as `kubectl diff` does:
 * by writes that store nothing. They take the rights of real ones; without these a document is named in `unchecked`. Deletions
 * are not tried.
 */
export async function tryEdits(
	client: Pick<KubeClient, "create" | "patch">,
	edits: readonly Edit[],
	present: Editable,
): Promise<Tried> {
	const refused = new Map<Edit, PlanProblem[]>();
	const unchecked: string[] = [];
	await Promise.all(
		edits.map(async (edit) => {
			if (edit.do !== "apply") return;
			const object = `${edit.kind} ${edit.object.metadata.name}`;
			try {
				await tryOne(client, edit, present);
			} catch (error) {
				if (!isFairleadError(error, "KubeInvalid", "KubeForbidden"))
					throw error;
				const said = wordsOf(error.message);
				if (leavesOpen.test(said)) unchecked.push(`${object}: ${said}`);
				else refused.set(edit, problemsOf(object, said, error.fields));
			}
		}),
	);
	return { refused, unchecked: unchecked.sort() };
}

/** Not of the document but of who asks, or of a webhook that cannot be asked without effect. */
const leavesOpen = / cannot (create|patch) resource "|does not support dry run/;

async function tryOne(
	client: Pick<KubeClient, "create" | "patch">,
	edit: Extract<Edit, { do: "apply" }>,
	present: Editable,
): Promise<void> {
	const { resource, among } = kinds[edit.kind];
	const { metadata, spec } = edit.object;
	const { name, labels, annotations } = metadata;
	const known = (present[among] as readonly KubeObject[]).find(
		(each) => each.metadata.name === name,
	);
	if (!known) {
		const { status: _, ...object } = edit.object;
		await client.create<KubeObject>(resource, object, { dryRun: true });
		return;
	}
	const merged = Object.entries({ labels, annotations }).flatMap(
		([field, given]) =>
			given
				? {
						op: "add",
						path: `/metadata/${field}`,
						value: {
							...known.metadata[field as "labels" | "annotations"],
							...given,
						},
					}
				: [],
	);
	await client.patch(
		resource,
		{ name },
		{
			type: "json",
			body: [{ op: "replace", path: "/spec", value: spec }, ...merged],
		},
		{ dryRun: true },
	);
}

/** What the server said, without the request and without Go's way to say where. */
function wordsOf(message: string): string {
	return message
		.replace(/^[A-Z]+ \S+: /, "")
		.replace(/^.* cannot be handled as an? \w+: /, "");
}

function problemsOf(
	object: string,
	said: string,
	fields: readonly { field: string; message: string }[],
): PlanProblem[] {
	const problem = (field: string, message: string): PlanProblem => ({
		object,
		code: "Refused",
		field,
		message: `the API server refuses it: ${message}`,
	});
	const unknown = [...said.matchAll(/unknown field "([^"]+)"/g)].map(
		([, field = ""]) =>
			problem(field, "there is no such field; remove it, or correct its name"),
	);
	if (unknown.length > 0) return unknown;
	if (fields.length === 0) return [problem("", said)];
	return fields.map(({ field, message }) => problem(field, message));
}
