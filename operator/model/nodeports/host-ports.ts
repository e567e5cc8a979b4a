import type { Pod, Protocol } from "../../api/core.ts";
import type { KubeObject } from "../../api/meta.ts";

export interface HostPort {
	port: number;
	protocol: Protocol;
	/** `namespace/name` */
	pod: string;
}

/** Ports of its node that a pod takes; with host networking the API server fills in hostPort itself. */
export function hostPortsOf({ metadata, spec, status }: Pod): HostPort[] {
	if (status?.phase === "Succeeded" || status?.phase === "Failed") return [];
	const sidecars = (spec.initContainers ?? []).filter(
		({ restartPolicy }) => restartPolicy === "Always",
	);
	const found = new Map<string, HostPort>();
	for (const { ports = [] } of [...spec.containers, ...sidecars])
		for (const { hostPort, protocol = "TCP" } of ports)
			if (hostPort)
				found.set(`${hostPort}/${protocol}`, {
					port: hostPort,
					protocol,
					pod: `${metadata.namespace ?? ""}/${metadata.name}`,
				});
	return [...found.values()].sort(
		(a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1),
	);
}

/** What of a pod says which ports it takes, and nothing of one that takes none: most of them. */
export function trimPod(pod: Pod): Pod {
	const { name, namespace, uid, resourceVersion } = pod.metadata;
	const metadata: KubeObject["metadata"] = {
		name,
		...(namespace === undefined ? {} : { namespace }),
		...(uid === undefined ? {} : { uid }),
		...(resourceVersion === undefined ? {} : { resourceVersion }),
	};
	const ports = hostPortsOf(pod).map(({ port, protocol }) => ({
		containerPort: port,
		hostPort: port,
		protocol,
	}));
	const { nodeName } = pod.spec;
	return {
		metadata,
		spec: {
			...(nodeName === undefined ? {} : { nodeName }),
			containers: ports.length > 0 ? [{ name: "", ports }] : [],
		},
	};
}
