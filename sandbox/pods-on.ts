import type { Pod } from "../operator/api/core.ts";
import type { Store } from "../operator/cluster/index.ts";

/** What of everybody's pods runs on one node, as an agent would watch it: a change elsewhere is none. */
export function podsOn(
	node: string,
	pods: Pick<Store<Pod>, "values" | "onChange">,
): Pick<Store<Pod>, "values" | "onChange"> {
	return {
		*values() {
			for (const pod of pods.values())
				if (pod.spec.nodeName === node) yield pod;
		},
		onChange: (listener) =>
			pods.onChange((change) => {
				if (change.object.spec.nodeName === node) listener(change);
			}),
	};
}
