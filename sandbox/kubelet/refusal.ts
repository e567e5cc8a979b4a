import type { Container } from "../../operator/api/core.ts";
import type { ContainerRuntime } from "./pod-runtime.ts";

/** Why a container waits although its turn has come, in the words of its status. */
export interface Refusal {
	reason: string;
	message: string;
}

/** ErrImagePull first, ImagePullBackOff from the second time on, as people know them. */
export function imageProblem(
	container: Container,
	{ refusals, state }: ContainerRuntime,
	problem: string,
): Refusal {
	const again =
		refusals > 0 &&
		state.is === "waiting" &&
		(state.reason ?? "").includes("ImagePull");
	if (!again) return { reason: "ErrImagePull", message: problem };
	return {
		reason: "ImagePullBackOff",
		message: `Back-off pulling image "${container.image ?? ""}": ErrImagePull: ${problem}`,
	};
}

/** What the kubelet's events say about a refusal, in order. */
export function refusalEvents(
	container: Container,
	{ reason, message }: Refusal,
): {
	type: "Normal" | "Warning";
	reason: string;
	action: string;
	note: string;
}[] {
	const image = container.image ?? "";
	const failed = (action: string, note: string) =>
		({ type: "Warning", reason: "Failed", action, note }) as const;
	if (reason === "ErrImagePull")
		return [
			failed("Pulling", `Failed to pull image "${image}": ${message}`),
			failed("Pulling", "Error: ErrImagePull"),
		];
	if (reason === "ImagePullBackOff")
		return [
			{
				type: "Normal",
				reason: "BackOff",
				action: "Pulling",
				note: `Back-off pulling image "${image}"`,
			},
		];
	return [failed("Creating", `Error: ${message}`)];
}
