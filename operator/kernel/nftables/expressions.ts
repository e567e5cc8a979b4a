import type { IPFamily } from "../../api/core.ts";
import {
	attributeMap,
	be32,
	be64,
	nested,
	readText,
	text,
	u8,
} from "../netlink-message.ts";
import { familyNumbers, type Verdict, valueData, verdictData } from "./wire.ts";

/**
 * nf_tables' expressions, as attributes of a rule. Registers are sixteen words of four bytes; a concatenation is words in
 * a row, each part padded to whole words. Word 0 is where `nft` itself begins.
 */
export type Expression = Buffer;

/** NFT_REG32_00 */
const FIRST_WORD = 8;

const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;

function expression(name: string, attributes: readonly Buffer[]): Expression {
	return Buffer.concat([
		text(NFTA_EXPR_NAME, name),
		nested(NFTA_EXPR_DATA, attributes),
	]);
}

/** What the kernel calls it: `numgen`. */
export function nameOf(of: Expression): string {
	return readText(attributeMap(of).get(NFTA_EXPR_NAME) ?? Buffer.alloc(0));
}

function register(attribute: number, word: number): Buffer {
	return be32(attribute, FIRST_WORD + word);
}

/** Something of a packet or of its flow that can be put into registers. */
export interface Field {
	words: number;
	load(word: number): Expression[];
}

const addressWords: Record<IPFamily, number> = { IPv4: 1, IPv6: 4 };

const NFT_PAYLOAD_NETWORK_HEADER = 1;
const NFT_PAYLOAD_TRANSPORT_HEADER = 2;

function payload(base: number, offset: number, length: number): Field {
	return {
		words: Math.ceil(length / 4),
		load: (word) => [
			expression("payload", [
				register(1, word),
				be32(2, base),
				be32(3, offset),
				be32(4, length),
			]),
		],
	};
}

export function sourceAddress(family: IPFamily): Field {
	return family === "IPv4"
		? payload(NFT_PAYLOAD_NETWORK_HEADER, 12, 4)
		: payload(NFT_PAYLOAD_NETWORK_HEADER, 8, 16);
}

export function destinationAddress(family: IPFamily): Field {
	return family === "IPv4"
		? payload(NFT_PAYLOAD_NETWORK_HEADER, 16, 4)
		: payload(NFT_PAYLOAD_NETWORK_HEADER, 24, 16);
}

/** Of TCP, UDP and SCTP alike. */
export const destinationPort = payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
export const icmpType = payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1);

const NFT_META_L4PROTO = 16;

/** The transport's number, behind IPv6 extension headers too. */
export const transport: Field = {
	words: 1,
	load: (word) => [
		expression("meta", [register(1, word), be32(2, NFT_META_L4PROTO)]),
	],
};

const NFT_META_NFPROTO = 15;

/** IPv4 or IPv6, by `familyNumbers`. */
export const networkProtocol: Field = {
	words: 1,
	load: (word) => [
		expression("meta", [register(1, word), be32(2, NFT_META_NFPROTO)]),
	],
};

const NFT_META_PRIORITY = 2;

/** The packet's priority: a place to put a number that decides something within the same rule. */
export const priority: Field = {
	words: 1,
	load: (word) => [
		expression("meta", [register(1, word), be32(2, NFT_META_PRIORITY)]),
	],
};

/** Sets the packet's priority to word `from`. */
export function setPriority(from: number): Expression {
	return expression("meta", [be32(2, NFT_META_PRIORITY), register(3, from)]);
}

const NFT_CT_STATE = 0;
const NFT_CT_STATUS = 2;
const NFT_CT_PROTO_DST = 12;
const NFT_CT_DST_IP = 20;
const NFT_CT_DST_IP6 = 22;
const IP_CT_DIR_ORIGINAL = 0;

function conntrack(key: number, words: number, direction?: number): Field {
	return {
		words,
		load: (word) => [
			expression("ct", [
				register(1, word),
				be32(2, key),
				...(direction === undefined ? [] : [u8(3, direction)]),
			]),
		],
	};
}

export const connectionState = conntrack(NFT_CT_STATE, 1);
export const connectionStatus = conntrack(NFT_CT_STATUS, 1);

/** Where the flow's first packet went before any translation. */
export function originalDestination(family: IPFamily): Field {
	return conntrack(
		family === "IPv4" ? NFT_CT_DST_IP : NFT_CT_DST_IP6,
		addressWords[family],
		IP_CT_DIR_ORIGINAL,
	);
}

export const originalDestinationPort = conntrack(
	NFT_CT_PROTO_DST,
	1,
	IP_CT_DIR_ORIGINAL,
);

const NFT_NG_RANDOM = 1;

/** A random number below `modulus`, drawn for each packet. */
export function randomBelow(modulus: number): Field {
	return {
		words: 1,
		load: (word) => [
			expression("numgen", [
				register(1, word),
				be32(2, modulus),
				be32(3, NFT_NG_RANDOM),
			]),
		],
	};
}

const NFT_FIB_RESULT_ADDRTYPE = 3;
const NFTA_FIB_F_SADDR = 1;

/** RTN_LOCAL and its like, of the packet's source as this machine's routes see it. */
export const sourceAddressType: Field = {
	words: 1,
	load: (word) => [
		expression("fib", [
			register(1, word),
			be32(2, NFT_FIB_RESULT_ADDRTYPE),
			be32(3, NFTA_FIB_F_SADDR),
		]),
	],
};

/** `field & mask`. */
export function masked(field: Field, mask: Uint8Array): Field {
	return {
		words: field.words,
		load: (word) => [
			...field.load(word),
			expression("bitwise", [
				register(1, word),
				register(2, word),
				be32(3, mask.length),
				valueData(4, mask),
				valueData(5, Buffer.alloc(mask.length)),
			]),
		],
	};
}

/** Loads fields one behind the other from word 0 on. */
export function concatenated(fields: readonly Field[]): Expression[] {
	let word = 0;
	return fields.flatMap((field) => {
		const loads = field.load(word);
		word += field.words;
		return loads;
	});
}

export function wordsOf(fields: readonly Field[]): number {
	return fields.reduce((sum, { words }) => sum + words, 0);
}

const NFT_CMP_EQ = 0;
const NFT_CMP_NEQ = 1;

function compared(
	field: Field,
	operator: number,
	value: Uint8Array,
): Expression[] {
	return [
		...field.load(0),
		expression("cmp", [register(1, 0), be32(2, operator), valueData(3, value)]),
	];
}

/** Goes on only where `field` is `value`. */
export function equals(field: Field, value: Uint8Array): Expression[] {
	return compared(field, NFT_CMP_EQ, value);
}

/** Goes on only where `field` has one of `bits` set; four bytes in the machine's order. */
export function hasAny(field: Field, bits: number): Expression[] {
	const mask = Buffer.alloc(4);
	mask.writeUInt32LE(bits);
	return compared(masked(field, mask), NFT_CMP_NEQ, Buffer.alloc(4));
}

/** Goes on only where the fields, or what begins at `word`, are in the set. */
export function inSet(
	set: string,
	fields: readonly Field[],
	word = 0,
): Expression[] {
	return [
		...concatenated(fields),
		expression("lookup", [text(1, set), register(2, word)]),
	];
}

/** Puts what the map has for word `from` on into word `into` on; a miss ends the rule. */
export function lookUp(map: string, from: number, into: number): Expression {
	return expression("lookup", [
		text(1, map),
		register(2, from),
		register(3, into),
	]);
}

/** Decides as the verdict map says for word `from`; a miss ends the rule. */
export function decideBy(map: string, from: number): Expression {
	return expression("lookup", [text(1, map), register(2, from), be32(3, 0)]);
}

export function decide(verdict: Verdict): Expression {
	return expression("immediate", [be32(1, 0), verdictData(2, verdict)]);
}

const NFT_NAT_DNAT = 1;

/** Sends the flow to the address that begins at `word` and the port behind it. */
export function translateDestination(
	family: IPFamily,
	word: number,
): Expression {
	return expression("nat", [
		be32(1, NFT_NAT_DNAT),
		be32(2, familyNumbers[family]),
		register(3, word),
		register(5, word + addressWords[family]),
	]);
}

/** NF_NAT_RANGE_PROTO_RANDOM_FULLY: fewer collisions of source ports between CPUs. */
const FULLY_RANDOM = 0x10;

/** Makes the flow come from this machine. */
export const masquerade: Expression = expression("masq", [
	be32(1, FULLY_RANDOM),
]);

/** Sends the flow to this machine itself. */
export const redirect: Expression = expression("redir", []);

const NFT_REJECT_ICMP_UNREACH = 0;
const NFT_REJECT_TCP_RST = 1;

export const rejectWithReset: Expression = expression("reject", [
	be32(1, NFT_REJECT_TCP_RST),
	u8(2, 0),
]);

/** Port unreachable: 3 in ICMP, 4 in ICMPv6. */
export function rejectUnreachable(family: IPFamily): Expression {
	return expression("reject", [
		be32(1, NFT_REJECT_ICMP_UNREACH),
		u8(2, family === "IPv4" ? 3 : 4),
	]);
}

const NFT_DYNSET_OP_UPDATE = 1;
const NFT_DYNSET_OP_DELETE = 2;

/** Writes words of the packet into a map, to be forgotten `seconds` after it was last done. */
export function remember(
	map: string,
	key: number,
	data: number,
	seconds: number,
): Expression {
	return expression("dynset", [
		text(1, map),
		be32(3, NFT_DYNSET_OP_UPDATE),
		register(4, key),
		register(5, data),
		be64(6, BigInt(seconds) * 1000n),
	]);
}

/** Takes the element with the key at word `key` out of a map. The kernel wants `data` named too, but does not look at it. */
export function forget(map: string, key: number, data: number): Expression {
	return expression("dynset", [
		text(1, map),
		be32(3, NFT_DYNSET_OP_DELETE),
		register(4, key),
		register(5, data),
	]);
}
