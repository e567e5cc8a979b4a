import {
	attributeMap,
	NLM_F_DUMP,
	readText,
	text,
} from "../netlink-message.ts";
import type { NetlinkSocket } from "../netlink.ts";
import { type Element, listElements } from "./elements.ts";
import {
	NFT_MSG_GETCHAIN,
	NFT_MSG_GETRULE,
	NFT_MSG_GETSET,
	NFT_MSG_GETTABLE,
	nftMessage,
	type TableName,
	tableText,
} from "./wire.ts";

/** What a table should be, as far as it can be read back at a cost that does not depend on what other tables there are. */
export interface Expected {
	name: TableName;
	/** Names of all chains. */
	chains: readonly string[];
	/**
	 * How many chains, rules and sets were made since the table was. The kernel numbers them in one sequence and gives no
	 * number twice, so that one that is gone, another's, or put in the place of ours is seen by its number.
	 */
	made: number;
	/** What is in each set; not of those that change by themselves. */
	elements: ReadonlyMap<string, readonly Element[]>;
	/** Sets whose elements are not looked at. */
	ignored: (set: string) => boolean;
}

const NFTA_TABLE_FLAGS = 2;
const NFTA_TABLE_USE = 3;
const NFTA_CHAIN_TABLE = 1;
const NFTA_CHAIN_HANDLE = 2;
const NFTA_CHAIN_NAME = 3;
const NFTA_CHAIN_POLICY = 5;
const NFTA_RULE_TABLE = 1;
const NFTA_RULE_HANDLE = 3;
const NFTA_SET_TABLE = 1;
const NFTA_SET_NAME = 2;
const NFTA_SET_HANDLE = 16;
const NF_ACCEPT = 1;

/**
 * Reads a table back and says in what it is not as expected; undefined if it is. Lists every element of it: for when what
 * others did could not be followed.
 *
 * @throws KernelFailed when something of it cannot be read, because it is gone
 */
export function differenceFrom(
	socket: NetlinkSocket,
	expected: Expected,
): string | undefined {
	const { name } = expected;
	const of = tableText(name);
	const table = read(socket, name, NFT_MSG_GETTABLE, [text(1, name.name)], of);
	const sets = dump(socket, name, NFT_MSG_GETSET, NFTA_SET_TABLE, "sets");
	const rules = dump(socket, name, NFT_MSG_GETRULE, NFTA_RULE_TABLE, "rules");
	const chains = expected.chains.map((chain) =>
		read(
			socket,
			name,
			NFT_MSG_GETCHAIN,
			[text(NFTA_CHAIN_TABLE, name.name), text(NFTA_CHAIN_NAME, chain)],
			`chain ${chain} of ${of}`,
		),
	);
	if (number(table, NFTA_TABLE_FLAGS) !== 0) return `${of} has other flags`;
	if (number(table, NFTA_TABLE_USE) !== sets.length + chains.length)
		return `${of} has other chains`;
	const closed = chains.some(
		(chain) => (number(chain, NFTA_CHAIN_POLICY) ?? NF_ACCEPT) !== NF_ACCEPT,
	);
	if (closed) return `a chain of ${of} has another policy`;
	const handles = new Set([
		...sets.map((set) => handle(set, NFTA_SET_HANDLE)),
		...rules.map((rule) => handle(rule, NFTA_RULE_HANDLE)),
		...chains.map((chain) => handle(chain, NFTA_CHAIN_HANDLE)),
	]);
	const others = [...handles].some((each) => each > expected.made);
	if (others || handles.size !== expected.made)
		return `${of} has other chains, rules or sets`;
	for (const set of sets) {
		const setName = readText(set.get(NFTA_SET_NAME) ?? Buffer.alloc(0));
		if (expected.ignored(setName)) continue;
		const different = compare(
			listElements(socket, name, setName),
			expected.elements.get(setName) ?? [],
		);
		if (different) return `${setName} in ${of} has other elements`;
	}
	return undefined;
}

type Attributes = Map<number, Buffer>;

function read(
	socket: NetlinkSocket,
	table: TableName,
	type: number,
	attributes: readonly Buffer[],
	what: string,
): Attributes {
	const [reply] = socket.request(
		nftMessage(table, type, 0, attributes),
		`read ${what}`,
	);
	return reply ? attributeMap(reply.body, 4) : new Map();
}

function dump(
	socket: NetlinkSocket,
	table: TableName,
	type: number,
	tableAttribute: number,
	what: string,
): Attributes[] {
	return socket
		.request(
			nftMessage(table, type, NLM_F_DUMP, [text(tableAttribute, table.name)]),
			`list ${what} of ${tableText(table)}`,
		)
		.map(({ body }) => attributeMap(body, 4));
}

function number(attributes: Attributes, type: number): number | undefined {
	return attributes.get(type)?.readUInt32BE(0);
}

function handle(attributes: Attributes, type: number): number {
	return Number(attributes.get(type)?.readBigUInt64BE(0) ?? 0n);
}

function compare(
	found: readonly Element[],
	wanted: readonly Element[],
): boolean {
	if (found.length !== wanted.length) return true;
	const known = new Set(wanted.map(wordOf));
	return found.some((element) => !known.has(wordOf(element)));
}

function wordOf({ key, data, intervalEnd }: Element): string {
	const end = intervalEnd ? "end" : "";
	if (data === undefined || Buffer.isBuffer(data))
		return `${key.toString("latin1")}|${data?.toString("latin1") ?? ""}${end}`;
	return `${key.toString("latin1")}|${JSON.stringify(data)}`;
}
