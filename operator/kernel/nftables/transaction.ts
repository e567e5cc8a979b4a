import { constants } from "node:os";
import {
	be32,
	type NetlinkMessage,
	netlinkMessage,
	encodeMessages,
	attributeMap,
} from "../netlink-message.ts";
import type { NetlinkSocket } from "../netlink.ts";
import { FairleadError, isFairleadError } from "../../errors.ts";
import { errnoName, failure } from "../libc.ts";
import type { Step } from "./objects.ts";
import {
	NFNL_MSG_BATCH_BEGIN,
	NFNL_MSG_BATCH_END,
	NFNL_SUBSYS_NFTABLES,
	NFT_MSG_GETGEN,
	nfgenmsg,
} from "./wire.ts";

const NFNL_BATCH_GENID = 1;
const NFTA_GEN_ID = 1;
/** How the kernel says that it, or a module of it, was built without something. */
const lacking = new Set(["ENOENT", "EOPNOTSUPP"]);
/** Of Linux; Node has no name for it. */
const ERESTART = 85;

/**
 * Carries out steps as one transaction: all of them or none.
 *
 * @param generation of the ruleset that the steps are meant for
 * @returns false, and nothing is done, if the ruleset is of another generation by now
 * @throws what `failure` says, naming the first step that was refused and the element if it was one;
 *   reason EMSGSIZE when it is more than the socket may send at once
 */
export function commit(
	socket: NetlinkSocket,
	steps: readonly Step[],
	generation?: number,
): boolean {
	const messages = [
		edge(NFNL_MSG_BATCH_BEGIN, generation),
		...steps.map(({ message }) => message),
		edge(NFNL_MSG_BATCH_END),
	];
	const first = socket.reserve(messages.length);
	const { verdicts } = socket.exchange(
		encodeMessages(messages, first),
		"change nftables",
	);
	const refused = verdicts.find(({ errno }) => errno !== 0);
	if (!refused) return true;
	if (refused.errno === ERESTART && generation !== undefined) return false;
	// Behind the opening message.
	const step = steps[refused.sequence - first - 1];
	const feature = lacking.has(errnoName(refused.errno))
		? step?.featureAt?.(refused.offset)
		: undefined;
	if (step && feature !== undefined)
		throw new FairleadError(
			"KernelUnsupported",
			`this kernel's nf_tables has no ${feature}: cannot ${step.what}`,
			{ reason: errnoName(refused.errno) },
		);
	const element =
		refused.offset === undefined
			? undefined
			: step?.elementAt?.(refused.offset);
	throw failure(
		(step?.what ?? "change nftables") +
			(element === undefined ? "" : `, ${element}`),
		refused.errno,
		refused.text,
	);
}

/** Steps that leave what every packet may meet when they are carried out together. */
export type Part = readonly Step[];

/**
 * As `commit`, but in as many transactions as it takes where one is more than the socket may send: only the first is sure
 * of its generation, and in between packets meet the parts that have been written so far. A part is divided only if it alone
 * is too much.
 *
 * @returns how many transactions were made; 0 if the ruleset is of another generation by now
 */
export function commitInParts(
	socket: NetlinkSocket,
	parts: readonly Part[],
	generation?: number,
): number {
	try {
		return commit(socket, parts.flat(), generation) ? 1 : 0;
	} catch (error) {
		const isTooMuch = isFairleadError(error) && error.reason === "EMSGSIZE";
		if (!isTooMuch || parts.flat().length < 2) throw error;
	}
	const [only = []] = parts;
	const smaller = parts.length > 1 ? parts : only.map((step) => [step]);
	const half = smaller.length >> 1;
	const first = commitInParts(socket, smaller.slice(0, half), generation);
	return first === 0 ? 0 : first + commitInParts(socket, smaller.slice(half));
}

function edge(type: number, generation?: number): NetlinkMessage {
	return netlinkMessage(
		type,
		0,
		nfgenmsg(0, NFNL_SUBSYS_NFTABLES),
		generation === undefined ? [] : [be32(NFNL_BATCH_GENID, generation)],
	);
}

/** The ruleset's generation, which rises with every transaction of anybody in the namespace, and the port id of the socket that asked. */
export function readGeneration(socket: NetlinkSocket): {
	generation: number;
	portId: number;
} {
	const what = "read the generation of nftables";
	const [reply] = socket.request(
		netlinkMessage(
			(NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN,
			0,
			nfgenmsg(0),
		),
		what,
	);
	const generation = reply && attributeMap(reply.body, 4).get(NFTA_GEN_ID);
	if (!generation) throw failure(what, constants.errno.ENODATA);
	return { generation: generation.readUInt32BE(0), portId: reply.portId };
}
