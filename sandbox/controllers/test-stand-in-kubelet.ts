import { objectKey } from "../../operator/api/meta.ts";
import { isFairleadError } from "../../operator/errors.ts";
import { resources } from "../../operator/cluster/kube.ts";
import type { Log } from "../../operator/log.ts";
import type { TestCluster } from "../test-cluster.ts";
import { follow, timestamp } from "./loop.ts";
import { refOf } from "./ownership.ts";

/** For tests: every pod on a node is ready at once, and gone as soon as it is asked to go. */
export function startStandInKubelet(
	{ client, stores, clock }: TestCluster,
	log: Log,
): { stop(): void } {
	let addresses = 0;
	const running = new Set<string>();
	const report = (error: unknown) => {
		if (!isFairleadError(error, "KubeNotFound", "KubeConflict"))
			log.error({ err: error }, "the stand-in for a kubelet failed");
	};
	const stop = follow(stores.pods, ({ type, object: pod }) => {
		const { metadata, spec } = pod;
		if (type === "deleted" || !spec.nodeName) return;
		const ref = refOf(metadata);
		if (metadata.deletionTimestamp !== undefined) {
			const uid = metadata.uid ?? "";
			client
				.delete(resources.pods, ref, { uid }, { gracePeriodSeconds: 0 })
				.catch(report);
			return;
		}
		if (running.has(objectKey(pod))) return;
		running.add(objectKey(pod));
		const ip = `10.244.${addresses >> 8}.${++addresses & 255}`;
		client
			.patch(
				resources.pods,
				{ ...ref, subresource: "status" },
				{
					type: "strategic-merge",
					body: {
						status: {
							phase: "Running",
							podIP: ip,
							podIPs: [{ ip }],
							conditions: [
								{
									type: "Ready",
									status: "True",
									lastTransitionTime: timestamp(clock.now()),
								},
							],
						},
					},
				},
			)
			.catch(report);
	});
	return { stop };
}
