import type { AddressPool, BalancerClass } from "../../api/fairlead.ts";
import type { KubeObject } from "../../api/meta.ts";

/** One object as somebody means to apply or delete it. */
export type Edit =
	| { do: "apply"; kind: "AddressPool"; object: AddressPool }
	| { do: "apply"; kind: "BalancerClass"; object: BalancerClass }
	| { do: "delete"; kind: "AddressPool" | "BalancerClass"; name: string };

export interface Editable {
	pools: readonly AddressPool[];
	classes: readonly BalancerClass[];
}

/** The objects after one edit. A class that Services hold something through stays until they have left it. */
export function applyEdit({ pools, classes }: Editable, edit: Edit): Editable {
	if (edit.do === "apply")
		return edit.kind === "AddressPool"
			? { pools: applied(pools, edit.object), classes }
			: { pools, classes: applied(classes, edit.object) };
	if (edit.kind === "AddressPool")
		return {
			pools: pools.filter(({ metadata }) => metadata.name !== edit.name),
			classes,
		};
	return {
		pools,
		classes: classes.flatMap((found) => {
			if (found.metadata.name !== edit.name) return found;
			if (!found.metadata.finalizers?.length) return [];
			return {
				...found,
				metadata: { ...found.metadata, deletionTimestamp: "planned" },
			};
		}),
	};
}

/** The spec is replaced; what others keep in metadata and status stays. */
function applied<T extends KubeObject & { spec: unknown }>(
	objects: readonly T[],
	object: T,
): T[] {
	const { name } = object.metadata;
	const known = objects.find(({ metadata }) => metadata.name === name);
	return [
		...objects.filter((each) => each !== known),
		known ? { ...known, spec: object.spec } : object,
	];
}
