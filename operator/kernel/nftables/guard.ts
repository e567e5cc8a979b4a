import { isFairleadError } from "../../errors.ts";
import type { NetlinkSocket } from "../netlink.ts";
import {
	addElements,
	type Element,
	flushElements,
	listElements,
} from "./elements.ts";
import {
	decide,
	type Expression,
	inSet,
	networkProtocol,
} from "./expressions.ts";
import type { ChainSpec, SetSpec, Step } from "./objects.ts";
import { familyNumbers, type TableName } from "./wire.ts";

/**
 * Where another proxy's rules lie beneath ours, ours count only while somebody keeps them true: every packet that comes to
 * our hooks is let through, untouched, unless an element is there that times out and that only a living agent renews.
 * What it did for established flows stays, for those are conntrack's.
 */

/** Who is led away before the other proxy sees him. */
const DISPATCH = "alive";
/**
 * A flow that was led away an instant before the guard ran out still comes to postrouting, and must be masqueraded there: that
 * guard runs out a second later.
 */
const POSTROUTING = "alive-postrouting";
const LATER_MS = 1_000;

export function guardSets(): SetSpec[] {
	return [
		{
			name: DISPATCH,
			key: ["nf_proto"],
			timeout: true,
			comment: "empty when the agent is gone: kube-proxy takes over",
		},
		{ name: POSTROUTING, key: ["nf_proto"], timeout: true },
	];
}

/** The same chains, with all that hangs on a hook behind the guard. */
export function guarded(chains: readonly ChainSpec[]): ChainSpec[] {
	return chains.flatMap((chain) => {
		const { name, hook, rules } = chain;
		if (!hook) return [chain];
		const inner = `${name}-alive`;
		const set = hook.at === "postrouting" ? POSTROUTING : DISPATCH;
		const expressions: Expression[] = [
			...inSet(set, [networkProtocol]),
			decide({ goto: inner }),
		];
		return [
			{ name, hook, rules: [{ expressions }] },
			{ name: inner, rules },
		];
	});
}

/** Lets the guard run from now on, whether it was running or not: older kernels cannot give an element more time. */
export function renewGuard(table: TableName, timeoutMs: number): Step[] {
	const times = [
		[DISPATCH, timeoutMs],
		[POSTROUTING, timeoutMs + LATER_MS],
	] as const;
	return times.flatMap(([set, milliseconds]) => {
		const element: Element = {
			key: Buffer.from([familyNumbers[table.family]]),
			timeoutMs: milliseconds,
		};
		return [flushElements(table, set), ...addElements(table, set, [element])];
	});
}

/** For how long a table's guard still runs; 0 if it does not, or there is none. */
export function guardLeftMs(socket: NetlinkSocket, table: TableName): number {
	try {
		const [element] = listElements(socket, table, DISPATCH);
		return element?.timeoutMs ?? 0;
	} catch (error) {
		if (isFairleadError(error) && error.reason === "ENOENT") return 0;
		throw error;
	}
}
