import { join } from "node:path";
import type { Pod } from "../../operator/api/core.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import { loadConnection } from "../../operator/cluster/kubeconfig.ts";
import { resources } from "../../operator/cluster/kube.ts";
import { FairleadError } from "../../operator/errors.ts";
import type { Runtime } from "../runtime.ts";

/** The main process of a pod's first container that runs, as numbered inside. */
export async function processOf(
	where: string,
	folder: string,
	runtime: Runtime,
): Promise<number> {
	const { clock } = runtime;
	const [first = "", second] = where.split("/");
	const [namespace, name] =
		second === undefined ? ["default", first] : [first, second];
	const log = await runtime.createLog("error");
	const client = createKubeClient(
		await loadConnection({ path: join(folder, "kubeconfig"), clock, log }),
		{ clock, log, userAgent: "fairlead-sandbox-exec" },
	);
	try {
		const pod = await client.get<Pod>(resources.pods, { namespace, name });
		for (const { state, containerID } of pod.status?.containerStatuses ?? []) {
			const [, number] = /^process:\/\/(\d+)$/.exec(containerID ?? "") ?? [];
			if (state?.running && number !== undefined) return Number(number);
		}
	} finally {
		client.close();
	}
	throw new FairleadError(
		"NetworkUnavailable",
		`pod ${namespace}/${name} has no container that runs`,
	);
}
