/**
 * @import { ServicePath } from "../services/service-path.ts"
 */

/** @param {{ namespace: string, name: string }} service */
const keyOf = ({ namespace, name }) => `${namespace}/${name}`;

/**
 * Keeps the Services of the cluster in a signal. EventSource comes back by itself after a break and is then told all there
 * are, so nothing has to be remembered.
 *
 * @param {EventTarget} source
 * @param {{ value: ReadonlyMap<string, ServicePath> | null }} services A signal.
 */
export function followServices(source, services) {
	/** @param {string} name @param {(data: any) => void} take */
	const on = (name, take) =>
		source.addEventListener(name, (event) =>
			take(JSON.parse(/** @type {MessageEvent} */ (event).data)),
		);
	on("services", (/** @type {ServicePath[]} */ all) => {
		services.value = new Map(all.map((one) => [keyOf(one), one]));
	});
	on("service", (/** @type {ServicePath} */ one) => {
		services.value = new Map(services.value).set(keyOf(one), one);
	});
	on("service-removed", (/** @type {ServicePath} */ gone) => {
		const left = new Map(services.value);
		left.delete(keyOf(gone));
		services.value = left;
	});
}
