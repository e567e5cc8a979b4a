import {
	be32,
	NLM_F_APPEND,
	NLM_F_CREATE,
	NLM_F_EXCL,
	NLMSG_HEADER,
	type NetlinkMessage,
	nested,
	text,
} from "../netlink-message.ts";
import { type Expression, nameOf } from "./expressions.ts";
import {
	commentValue,
	list,
	NFT_MSG_DELTABLE,
	NFT_MSG_NEWCHAIN,
	NFT_MSG_NEWRULE,
	NFT_MSG_NEWSET,
	NFT_MSG_NEWTABLE,
	nftMessage,
	type TableName,
	tableText,
	userData,
} from "./wire.ts";

/** One message of a transaction, and what it does in words that complete "cannot …". */
export interface Step {
	message: NetlinkMessage;
	what: string;
	/** For messages about elements: which of them the attribute at `offset` bytes into the message is. */
	elementAt?(offset: number): string | undefined;
	/** For messages that need what not every kernel has: its name, given the offset of what was refused as not there. */
	featureAt?(offset: number | undefined): string | undefined;
}

const NFTA_TABLE_USERDATA = 6;

/** Makes the table if there is none. */
export function newTable(table: TableName, words?: string): Step {
	return {
		message: nftMessage(table, NFT_MSG_NEWTABLE, NLM_F_CREATE, [
			text(1, table.name),
			be32(2, 0),
			...(words === undefined
				? []
				: [
						userData(NFTA_TABLE_USERDATA, [
							{ type: 0, value: commentValue(words) },
						]),
					]),
		]),
		what: `make ${tableText(table)}`,
	};
}

/** Takes the table away with everything in it. */
export function deleteTable(table: TableName): Step {
	return {
		message: nftMessage(table, NFT_MSG_DELTABLE, 0, [text(1, table.name)]),
		what: `delete ${tableText(table)}`,
	};
}

const hookNumbers = { prerouting: 0, output: 3, postrouting: 4 } as const;

export interface ChainSpec {
	name: string;
	/** Absent: a chain that others jump to. */
	hook?: {
		type: "nat" | "filter";
		at: keyof typeof hookNumbers;
		priority: number;
	};
	rules: RuleSpec[];
}

export interface RuleSpec {
	expressions: readonly Expression[];
}

const NFTA_CHAIN_TABLE = 1;
const NFTA_CHAIN_NAME = 3;
const NFTA_CHAIN_HOOK = 4;
const NFTA_CHAIN_POLICY = 5;
const NFTA_CHAIN_TYPE = 7;
const NFTA_HOOK_HOOKNUM = 1;
const NFTA_HOOK_PRIORITY = 2;
const NF_ACCEPT = 1;

/** Makes a chain, without its rules: they may jump to chains that come later. */
export function newChain(
	table: TableName,
	{ name, hook }: Omit<ChainSpec, "rules">,
): Step {
	return {
		message: nftMessage(table, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL, [
			text(NFTA_CHAIN_TABLE, table.name),
			text(NFTA_CHAIN_NAME, name),
			...(hook
				? [
						nested(NFTA_CHAIN_HOOK, [
							be32(NFTA_HOOK_HOOKNUM, hookNumbers[hook.at]),
							be32(NFTA_HOOK_PRIORITY, hook.priority),
						]),
						be32(NFTA_CHAIN_POLICY, NF_ACCEPT),
						text(NFTA_CHAIN_TYPE, hook.type),
					]
				: []),
		]),
		what: `make chain ${name} of ${tableText(table)}`,
		featureAt: () => hook && `chains of type ${hook.type}`,
	};
}

const NFTA_RULE_TABLE = 1;
const NFTA_RULE_CHAIN = 2;
const NFTA_RULE_EXPRESSIONS = 4;

/** Adds a rule at one end of a chain. */
export function newRule(
	table: TableName,
	chain: string,
	rule: RuleSpec,
	end: "first" | "last" = "last",
): Step {
	const where = end === "last" ? NLM_F_APPEND : 0;
	const listed = list(
		NFTA_RULE_EXPRESSIONS,
		rule.expressions.map((expression) => [expression]),
	);
	const message = nftMessage(table, NFT_MSG_NEWRULE, NLM_F_CREATE | where, [
		text(NFTA_RULE_TABLE, table.name),
		text(NFTA_RULE_CHAIN, chain),
		listed,
	]);
	const first = NLMSG_HEADER + message.body.length - listed.length + 4;
	return {
		message,
		what: `add a rule to chain ${chain} of ${tableText(table)}`,
		featureAt(offset) {
			if (offset === undefined) return undefined;
			let end = first;
			for (const expression of rule.expressions) {
				end += 4 + expression.length;
				if (offset >= end) continue;
				const name = nameOf(expression);
				return refersToOthers.has(name) ? undefined : `expression ${name}`;
			}
			return undefined;
		},
	};
}

/** Expressions that name a set or a chain, and are refused in the same way where that is missing. */
const refersToOthers = new Set(["lookup", "immediate", "dynset"]);

/** nft's numbers for what keys and data are, so that a listing can print them, and their bytes. */
const typeNumbers = {
	nf_proto: { number: 2, length: 1 },
	ipv4_addr: { number: 7, length: 4 },
	ipv6_addr: { number: 8, length: 16 },
	inet_proto: { number: 12, length: 1 },
	inet_service: { number: 13, length: 2 },
	mark: { number: 19, length: 4 },
} as const;

export type TypeName = keyof typeof typeNumbers;

/** NFT_DATA_VERDICT */
const VERDICT_TYPE = 0xffffff00;
/** How nft packs the types of a concatenation into one number. */
const TYPE_BITS = 6;

function typeNumber(types: readonly TypeName[]): number {
	return types.reduce(
		(packed, type) => (packed << TYPE_BITS) | typeNumbers[type].number,
		0,
	);
}

/** One part lies as it is; of several each fills whole words. */
function typeLength(types: readonly TypeName[]): number {
	const lengths = types.map((type) => typeNumbers[type].length);
	return lengths.length === 1
		? (lengths[0] ?? 0)
		: lengths.reduce((sum, length) => sum + Math.ceil(length / 4) * 4, 0);
}

const NFT_SET_INTERVAL = 0x4;
const NFT_SET_MAP = 0x8;
const NFT_SET_TIMEOUT = 0x10;
const NFT_SET_EVAL = 0x20;

export interface SetSpec {
	name: string;
	key: readonly TypeName[];
	/** What a map gives; absent: a set. */
	data?: readonly TypeName[] | "verdict";
	/** The key is a range of addresses. */
	interval?: boolean;
	/** Rules write into it, elements are forgotten in time, and there are never more than this many. */
	dynamic?: { size: number };
	/** Elements may have a time after which they are gone. */
	timeout?: boolean;
	comment?: string;
}

const NFTA_SET_DESC_SIZE = 1;
const NFTNL_UDATA_SET_KEYBYTEORDER = 0;
const NFTNL_UDATA_SET_DATABYTEORDER = 1;
const NFTNL_UDATA_SET_COMMENT = 7;

/** nft's BYTEORDER_HOST_ENDIAN or BYTEORDER_BIG_ENDIAN; of a concatenation it knows from the types. */
function byteOrder(types: readonly TypeName[]): Buffer {
	const host =
		types.length === 1 && (types[0] === "mark" || types[0] === "nf_proto");
	return Buffer.from([host ? 1 : 2, 0, 0, 0]);
}

/** Makes a set or a map. `id` is any number no other set of the transaction has. */
export function newSet(table: TableName, spec: SetSpec, id: number): Step {
	const { name, key, data, interval, dynamic } = spec;
	const flags =
		(data ? NFT_SET_MAP : 0) |
		(interval ? NFT_SET_INTERVAL : 0) |
		(spec.timeout ? NFT_SET_TIMEOUT : 0) |
		(dynamic ? NFT_SET_TIMEOUT | NFT_SET_EVAL : 0);
	const dataAttributes = !data
		? []
		: data === "verdict"
			? [be32(6, VERDICT_TYPE)]
			: [be32(6, typeNumber(data)), be32(7, typeLength(data))];
	return {
		message: nftMessage(table, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL, [
			text(1, table.name),
			text(2, name),
			be32(3, flags),
			be32(4, typeNumber(key)),
			be32(5, typeLength(key)),
			...dataAttributes,
			...(dynamic ? [nested(9, [be32(NFTA_SET_DESC_SIZE, dynamic.size)])] : []),
			be32(10, id),
			userData(13, [
				{ type: NFTNL_UDATA_SET_KEYBYTEORDER, value: byteOrder(key) },
				...(data && data !== "verdict"
					? [{ type: NFTNL_UDATA_SET_DATABYTEORDER, value: byteOrder(data) }]
					: []),
				...(spec.comment === undefined
					? []
					: [
							{
								type: NFTNL_UDATA_SET_COMMENT,
								value: commentValue(spec.comment),
							},
						]),
			]),
		]),
		what: `make ${data ? "map" : "set"} ${name} of ${tableText(table)}`,
	};
}
