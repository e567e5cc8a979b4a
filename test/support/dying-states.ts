import {
	type Frontend,
	frontendKey,
	type Program,
} from "../../operator/model/rules/program.ts";
import { SERVER_PORT } from "./packet-world.ts";

/** Ingress address and port 80 of every state's Service. */
export const dyingAddress = "203.0.113.10";

/** States of a node's rules that lead from one to the next by changes small and large; `many` are the ports of most. */
export function dyingStates(many = 300): Program[] {
	return [
		stateOf({ pods: [2, 3], others: many }),
		stateOf({ pods: [3], others: many }),
		stateOf({ pods: [3, 2], others: many, remembers: 60 }),
		stateOf({ pods: [2, 3], others: 3 }),
		stateOf({ pods: [2, 3], others: many + 100, ranges: ["0.0.0.0/0"] }),
	];
}

function stateOf(what: {
	/** The last number of each endpoint's address, which is in 10.244.1.0/24. */
	pods: number[];
	/** How many other ports there are. */
	others: number;
	remembers?: number;
	ranges?: string[];
}): Program {
	const { pods, others, remembers, ranges } = what;
	const frontends = [
		80,
		...Array.from({ length: others }, (_, n) => 1000 + n),
	].map(
		(port): Frontend => ({
			kind: "LoadBalancer",
			family: "IPv4",
			address: dyingAddress,
			protocol: "TCP",
			port,
			service: "default/web",
			portName: `p${port}`,
			endpoints: pods.map((pod) => ({
				address: `10.244.1.${pod}`,
				port: SERVER_PORT,
				local: true,
			})),
			whenEmpty: "reject",
			masquerade: "always",
			...(remembers === undefined ? {} : { affinitySeconds: remembers }),
			...(ranges ? { sourceRanges: ranges } : {}),
		}),
	);
	return {
		frontends: new Map(frontends.map((each) => [frontendKey(each), each])),
		held: new Map([[dyingAddress, { address: dyingAddress, echo: true }]]),
		podCidrs: ["10.244.0.0/16"],
		masqueradeAll: false,
	};
}
