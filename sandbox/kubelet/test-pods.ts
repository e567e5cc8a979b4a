import { readFileSync } from "node:fs";
import type { Pod } from "../../operator/api/core.ts";
import { eventually } from "../../test/support/eventually.ts";

/** Containers that tests run, and what they ask of them. */

export const hello = {
	image: "fairlead/hello",
	ports: [{ name: "http", containerPort: 8080 }],
	readinessProbe: {
		httpGet: { path: "/healthz", port: "http" },
		periodSeconds: 1,
	},
};
export const sh = (script: string) => ({ command: ["sh", "-c", script] });
/** Goes on until it is told to end, and then ends at once. */
export const patient = "trap 'exit 0' TERM; while :; do sleep 0.05; done";

/** Status of the pod's first container. */
export const main = (pod: Pod) => pod.status?.containerStatuses?.[0];
export const waitsFor = (reason: string) => (pod: Pod) =>
	main(pod)?.state?.waiting?.reason === reason;
export const runs = (pod: Pod) => main(pod)?.state?.running !== undefined;
export const isReady = (pod: Pod) =>
	pod.status?.conditions?.some(
		({ type, status }) => type === "Ready" && status === "True",
	) ?? false;

/** A process that is there and no zombie. */
export function lives(pid: number): boolean {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
		return !stat.slice(stat.lastIndexOf(")")).startsWith(") Z");
	} catch {
		return false;
	}
}

/** It was killed as the leader of its group ended: the kernel needs a moment, and there is nothing to await. */
export const dies = (pid: number) =>
	eventually(
		() => lives(pid),
		(living) => {
			if (living) throw new Error(`process ${pid} lives`);
		},
	);
