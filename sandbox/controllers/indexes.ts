import type { KubeObject } from "../../operator/api/meta.ts";
import type { Stores } from "../stores.ts";
import { controllerOf } from "./ownership.ts";

/** Files objects the way the controllers look for them. Call it once per set of caches. */
export function addIndexes({
	deployments,
	endpointSlices,
	pods,
	replicaSets,
	services,
}: Stores): void {
	const namespace = ({ metadata }: KubeObject) => [metadata.namespace ?? ""];
	const controller = (object: KubeObject) => {
		const uid = controllerOf(object)?.uid;
		return uid === undefined ? [] : [uid];
	};
	const orphan = (object: KubeObject) =>
		controllerOf(object) ? [] : namespace(object);
	for (const store of [deployments, pods, services])
		store.addIndex("namespace", namespace);
	for (const store of [pods, replicaSets]) {
		store.addIndex("controller", controller);
		store.addIndex("orphans in", orphan);
	}
	replicaSets.addIndex("namespace", namespace);
	pods.addIndex("node", ({ spec }) => [spec.nodeName ?? ""]);
	endpointSlices.addIndex("service", ({ metadata }) => {
		const service = metadata.labels?.["kubernetes.io/service-name"];
		return service ? [`${metadata.namespace ?? ""}/${service}`] : [];
	});
}
