import type { Container } from "../../operator/api/core.ts";
import { publicationOf } from "../images/publication.ts";
import type { PodNetwork } from "../network/network.ts";
import { ContainerLog } from "./container-log.ts";
import { ContainerProcess, type Surroundings } from "./container-process.ts";
import { startProblem } from "./executable.ts";

/**
 * Starts a container in its pod's network, or says why it cannot be started. In mode userspace its program says on stdout
 * where its ports really are; those lines go to the network and not into the log.
 *
 * @param now Wall milliseconds.
 */
export function launch(
	network: PodNetwork,
	container: Container,
	command: readonly string[],
	surroundings: Surroundings,
	now: () => number,
): ContainerProcess | { problem: string } {
	const { env, cwd } = surroundings;
	const problem = startProblem(command, env["PATH"] ?? "", cwd);
	if (problem !== undefined) return { problem };
	const log = new ContainerLog(
		now,
		undefined,
		network.publish && ((line) => published(network, line)),
	);
	try {
		return new ContainerProcess(network, container, command, surroundings, log);
	} catch (error) {
		return { problem: error instanceof Error ? error.message : String(error) };
	}
}

function published(network: PodNetwork, line: string): boolean {
	const found = publicationOf(line);
	if (found) network.publish?.(found.port, found.reallyAt);
	return found !== undefined;
}
