/**
 * @import { LiveBalancer } from "../../api/live.ts"
 */

/**
 * Which Service a balancer is for, as `namespace/name`; null for one that Fairlead did not make. The labels are
 * `cloudLabels` of operator/api/names.ts.
 *
 * @param {LiveBalancer} balancer
 */
export function serviceOf({ labels }) {
	const namespace = labels["fairlead.dev/service-namespace"];
	const name = labels["fairlead.dev/service-name"];
	return namespace && name ? `${namespace}/${name}` : null;
}
