import { constants } from "node:os";
import type { NetworkNamespace } from "./namespaces.ts";
import { NETLINK_ROUTE, NetlinkSocket, refusal } from "./netlink.ts";
import {
	encodeMessages,
	NLM_F_ACK,
	type NetlinkMessage,
} from "./netlink-message.ts";

/** One change of links, addresses or routes, to be carried out with others in one send. */
export interface RouteStep {
	/** Completes "cannot …". */
	what: string;
	message: NetlinkMessage;
	/** A refusal that means that it is so already: the thing is there, or gone. */
	settledBy?: keyof typeof constants.errno;
	/** Whether what is there is the same thing, if the refusal alone does not say so. */
	same?: (socket: NetlinkSocket) => boolean;
}

/** A socket for links, addresses and routes of a namespace. */
export function openRouteSocket(namespace: NetworkNamespace): NetlinkSocket {
	return new NetlinkSocket(namespace, NETLINK_ROUTE);
}

/** Well under what one skb takes whatever net.core.wmem_max says. */
const STEPS_PER_SEND = 256;

/**
 * Carries steps out in order. What is so already stays as it is, so that the same steps may be carried out again after a
 * crash. The kernel goes on behind a step that it refuses, up to the end of the batch.
 *
 * @throws what `failure` says of the first step that was refused; its `cause` is a Refusal
 */
export function carryOut(
	socket: NetlinkSocket,
	steps: readonly RouteStep[],
): void {
	for (let start = 0; start < steps.length; start += STEPS_PER_SEND) {
		const batch = steps.slice(start, start + STEPS_PER_SEND);
		const first = socket.reserve(batch.length);
		const { verdicts } = socket.exchange(
			encodeMessages(
				batch.map(({ message }) => ({
					...message,
					flags: (message.flags ?? 0) | NLM_F_ACK,
				})),
				first,
			),
			"change links, addresses and routes",
		);
		for (const verdict of verdicts) {
			const index = verdict.sequence - first;
			const step = batch[index];
			if (verdict.errno === 0 || !step) continue;
			if (
				step.settledBy &&
				constants.errno[step.settledBy] === verdict.errno &&
				(step.same?.(socket) ?? true)
			)
				continue;
			throw refusal(step.what, verdict, start + index);
		}
	}
}

/** As `carryOut`, once in a namespace that is not changed again. */
export function carryOutIn(
	namespace: NetworkNamespace,
	steps: readonly RouteStep[],
): void {
	const socket = openRouteSocket(namespace);
	try {
		carryOut(socket, steps);
	} finally {
		socket.close();
	}
}
