import { readCluster } from "../../operator/cluster/cluster-view.ts";
import { FairleadError } from "../../operator/errors.ts";
import { ClusterFacts } from "../../operator/model/explain/cluster-facts.ts";
import {
	explainService,
	isWaiting,
} from "../../operator/model/explain/explain-service.ts";
import { askCluster } from "../ask-cluster.ts";
import type { explainFlags } from "../asking-config.ts";
import type { FlagValues } from "../flags.ts";
import { explanationText, waitingText } from "../output/explanation-text.ts";
import { styleOf, wantsColour } from "../output/style.ts";
import type { Runtime } from "../runtime.ts";

type Asked = FlagValues<typeof explainFlags> & { argument?: string };

/** Exit code for a Service that is not served, and for a list that is not empty. */
const notServed = 3;

/** Prints why a Service has its address or waits; without one, all that wait. Resolves with the exit code. */
export async function explain(asked: Asked, runtime: Runtime): Promise<number> {
	const { namespace } = asked;
	const key = serviceKey(asked);
	const [serviceNamespace = "", name = ""] = key?.split("/") ?? [];
	const snapshot = await askCluster(
		asked,
		runtime,
		"fairlead-explain",
		(client) =>
			readCluster(client, {
				clock: runtime.clock,
				namespace,
				signal: runtime.stop,
				...(key === undefined
					? {}
					: { about: { namespace: serviceNamespace, name } }),
			}),
	);
	const facts = new ClusterFacts(snapshot);
	const style = styleOf(
		wantsColour(asked.color, runtime.terminal.isTTY, runtime.env),
	);
	const print = (value: unknown, text: () => string[]) =>
		runtime.stdout(
			asked.output === "json"
				? JSON.stringify(value, null, 2)
				: text().join("\n"),
		);
	if (key === undefined) {
		const balanced = facts.services.filter(
			({ spec, metadata }) =>
				spec.type === "LoadBalancer" || metadata.deletionTimestamp,
		);
		const waiting = balanced
			.map((service) => explainService(service, facts))
			.filter(isWaiting);
		print(waiting, () => waitingText(waiting, balanced.length, style));
		return waiting.length === 0 ? 0 : notServed;
	}
	const service = facts.service(key);
	if (!service)
		throw new FairleadError(
			"KubeNotFound",
			`there is no Service ${name} in namespace ${serviceNamespace}`,
		);
	const told = explainService(service, facts);
	print(told, () => explanationText(told, style));
	return told.state === "Served" ? 0 : notServed;
}

/** `namespace/name`, from either way to say it; undefined: nobody in particular. */
export function serviceKey({
	argument,
	"service-namespace": inNamespace,
}: Pick<Asked, "argument" | "service-namespace">): string | undefined {
	if (argument === undefined) {
		if (inNamespace === undefined) return undefined;
		throw new FairleadError(
			"FlagInvalid",
			`-n ${inNamespace}: give the name of a Service too; without one, the Services of all namespaces are told`,
		);
	}
	const [of, name] = argument.split("/");
	if (name !== undefined) {
		if (inNamespace === undefined || inNamespace === of) return argument;
		throw new FairleadError(
			"FlagInvalid",
			`-n ${inNamespace} and ${argument} name two namespaces; give one`,
		);
	}
	if (inNamespace !== undefined) return `${inNamespace}/${argument}`;
	throw new FairleadError(
		"FlagInvalid",
		`${argument}: must be NAMESPACE/NAME of a Service, or its NAME with -n NAMESPACE`,
	);
}
