import {
	attributeMap,
	be32,
	bytes,
	type NetlinkMessage,
	nested,
	netlinkMessage,
	readText,
	text,
} from "../netlink-message.ts";
import type { IPFamily } from "../../api/core.ts";

/** nfnetlink's and nf_tables' numbers (include/uapi/linux/netfilter/nfnetlink.h and nf_tables.h). */

export const NFNL_SUBSYS_NFTABLES = 10;
export const NFNL_MSG_BATCH_BEGIN = 0x10;
export const NFNL_MSG_BATCH_END = 0x11;
/** Multicast group of every change to any table. */
export const NFNLGRP_NFTABLES = 7;

export const NFT_MSG_NEWTABLE = 0;
export const NFT_MSG_GETTABLE = 1;
export const NFT_MSG_DELTABLE = 2;
export const NFT_MSG_NEWCHAIN = 3;
export const NFT_MSG_GETCHAIN = 4;
export const NFT_MSG_NEWRULE = 6;
export const NFT_MSG_GETRULE = 7;
export const NFT_MSG_NEWSET = 9;
export const NFT_MSG_GETSET = 10;
export const NFT_MSG_NEWSETELEM = 12;
export const NFT_MSG_GETSETELEM = 13;
export const NFT_MSG_DELSETELEM = 14;
export const NFT_MSG_NEWGEN = 15;
export const NFT_MSG_GETGEN = 16;

/** NFPROTO_IPV4 and NFPROTO_IPV6. */
export const familyNumbers: Record<IPFamily, number> = { IPv4: 2, IPv6: 10 };
/** A table of a family. */
export interface TableName {
	family: IPFamily;
	name: string;
}

/** As `nft` writes it: `table ip fairlead`. */
export function tableText({ family, name }: TableName): string {
	return `table ${family === "IPv4" ? "ip" : "ip6"} ${name}`;
}

/** struct nfgenmsg: family, version 0, resource. */
export function nfgenmsg(family: number, resource = 0): Buffer {
	return Buffer.from([family, 0, resource >> 8, resource & 0xff]);
}

/** A message of the nf_tables subsystem about something in `table`. */
export function nftMessage(
	table: TableName,
	type: number,
	flags: number,
	attributes: readonly Uint8Array[],
): NetlinkMessage {
	return netlinkMessage(
		(NFNL_SUBSYS_NFTABLES << 8) | type,
		flags,
		nfgenmsg(familyNumbers[table.family]),
		attributes,
	);
}

const NFTA_LIST_ELEM = 1;

/** A list, as nf_tables nests them. */
export function list(type: number, items: readonly Uint8Array[][]): Buffer {
	return nested(
		type,
		items.map((item) => nested(NFTA_LIST_ELEM, item)),
	);
}

const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NFTA_VERDICT_CHAIN = 2;

/** What a rule or an element of a verdict map decides. */
export type Verdict =
	| "accept"
	| "drop"
	| "return"
	| { goto: string }
	| { jump: string };

/** NF_DROP, NF_ACCEPT, NFT_RETURN. */
const verdictCodes = { drop: 0, accept: 1, return: -5 } as const;
const plainVerdicts = ["accept", "drop", "return"] as const;
const NFT_JUMP = -3;
const NFT_GOTO = -4;

/** A value as it lies in registers. */
export function valueData(type: number, value: Uint8Array): Buffer {
	return nested(type, [bytes(NFTA_DATA_VALUE, value)]);
}

export function verdictData(type: number, verdict: Verdict): Buffer {
	return nested(type, [nested(NFTA_DATA_VERDICT, verdictAttributes(verdict))]);
}

/** What the kernel says of data: a value, or a verdict. */
export function readData(attribute: Buffer): Buffer | Verdict | undefined {
	const data = attributeMap(attribute);
	const verdict = data.get(NFTA_DATA_VERDICT);
	if (!verdict) return data.get(NFTA_DATA_VALUE);
	const parts = attributeMap(verdict);
	const code = parts.get(NFTA_VERDICT_CODE)?.readInt32BE(0);
	const chain = readText(parts.get(NFTA_VERDICT_CHAIN) ?? Buffer.alloc(0));
	if (code === NFT_GOTO) return { goto: chain };
	if (code === NFT_JUMP) return { jump: chain };
	return plainVerdicts.find((each) => verdictCodes[each] === code);
}

function verdictAttributes(verdict: Verdict): Buffer[] {
	if (typeof verdict === "string")
		return [be32(NFTA_VERDICT_CODE, verdictCodes[verdict])];
	return "goto" in verdict
		? [
				be32(NFTA_VERDICT_CODE, NFT_GOTO),
				text(NFTA_VERDICT_CHAIN, verdict.goto),
			]
		: [
				be32(NFTA_VERDICT_CODE, NFT_JUMP),
				text(NFTA_VERDICT_CHAIN, verdict.jump),
			];
}

/**
 * What `nft` keeps beside an object for its own listings (libnftnl's user data): records of a type, a length and a value.
 * The types depend on the object; 0 is a comment, but for sets.
 */
export function userData(
	attribute: number,
	records: readonly { type: number; value: Uint8Array }[],
): Buffer {
	return bytes(
		attribute,
		Buffer.concat(
			records.flatMap(({ type, value }) => [
				Buffer.from([type, value.length]),
				value,
			]),
		),
	);
}

/** Text with its NUL as the value of a record of user data; the kernel takes 256 bytes in all, so that long ones are cut. */
export function commentValue(words: string): Buffer {
	return Buffer.concat([Buffer.from(words).subarray(0, 127), Buffer.from([0])]);
}
