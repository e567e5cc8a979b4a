import type { IPFamily } from "../../api/core.ts";
import type { NetworkNamespace } from "../namespaces.ts";
import { NETLINK_NETFILTER, NetlinkSocket } from "../netlink.ts";
import { attributeMap, readText } from "../netlink-message.ts";
import {
	familyNumbers,
	NFNL_SUBSYS_NFTABLES,
	NFNLGRP_NFTABLES,
	NFT_MSG_NEWGEN,
} from "./wire.ts";

/** Every message about a table or something in it says its name in its first attribute. */
const TABLE_NAME = 1;
const NFTA_GEN_ID = 1;
const NFTA_GEN_PROC_PID = 2;
const NFTA_GEN_PROC_NAME = 3;

/**
 * What may wait to be heard, in bytes. Another proxy that writes everything anew says more than that: reading back what is
 * ours costs less than hearing all of it.
 */
const WATCH_BYTES = 1 << 23;

const families: readonly IPFamily[] = ["IPv4", "IPv6"];
const ours = new Set(families.map((family) => familyNumbers[family]));

/**
 * Hears, through the kernel's notifications, what others do to the tables of a name.
 *
 * Nothing of others counts as ours: a notification bears the port id of the socket whose message it tells of, and the kernel
 * gives the port id of an open socket to no other of the namespace. Nothing of others goes unheard without `doubt`: the kernel
 * notifies within the commit, one transaction after the other (net/netfilter/nf_tables_api.c, nf_tables_commit); it says so when
 * the buffer overflows; and across a pause `hasHeard` compares the generation of what was heard with the ruleset's.
 */
export class TableWatch {
	readonly #events: NetlinkSocket;
	readonly #table: string;
	readonly #ourPort: number;
	#heard: string | undefined;
	#doubt: string | undefined;
	#listening = false;
	/** Of the last transaction whose notifications were read to the end. */
	#generation: number | undefined;

	/** @param ourPort port id of the socket that writes: its changes are ours */
	constructor(
		namespace: NetworkNamespace,
		table: string,
		ourPort: number,
		bufferBytes = WATCH_BYTES,
	) {
		this.#events = new NetlinkSocket(namespace, NETLINK_NETFILTER, {
			bufferBytes,
		});
		this.#table = table;
		this.#ourPort = ourPort;
	}

	/**
	 * Hears nothing from now until `resume`: a notification for each of a hundred thousand elements would be more work than the
	 * elements. What was done before is heard.
	 */
	pause(): string | undefined {
		if (this.#listening) this.#events.leave(NFNLGRP_NFTABLES);
		this.#listening = false;
		return this.heard();
	}

	/** Begins anew, with nothing heard. */
	resume(): void {
		if (!this.#listening) this.#events.join(NFNLGRP_NFTABLES);
		this.#listening = true;
		this.#heard = undefined;
		this.#doubt = undefined;
	}

	/** What was done up to this generation of the ruleset is known, for whoever listens. */
	begin(generation: number): void {
		this.#generation = generation;
	}

	/** Whether all that led to this generation was heard. A transaction counts before the kernel tells of it. */
	hasHeard(generation: number): boolean {
		return this.#generation === generation;
	}

	/** Why it is not known whether somebody changed the table; undefined: it is known. */
	get doubt(): string | undefined {
		return this.#doubt;
	}

	/** From now on it is not known. */
	lose(reason: string): void {
		this.#doubt ??= reason;
	}

	/** The table is read back from now on: what is done to it later will be heard. */
	settle(): void {
		this.#doubt = undefined;
	}

	/** Remembers a reason of our own. */
	note(reason: string): void {
		this.#heard ??= reason;
	}

	/** Who changed the table since `resume`; undefined if nobody is known to have. */
	heard(): string | undefined {
		let changed = false;
		const lost = this.#events.hear(({ type, portId, body }) => {
			if (type >> 8 !== NFNL_SUBSYS_NFTABLES) return;
			const others = portId !== this.#ourPort;
			if ((type & 0xff) !== NFT_MSG_NEWGEN) {
				changed ||= others && this.#isOurs(body);
				return;
			}
			// The last message of each transaction says which it was and who made it.
			const attributes = attributeMap(body, 4);
			this.#generation = attributes.get(NFTA_GEN_ID)?.readUInt32BE(0);
			if (changed) this.note(this.#whoChanged(attributes));
			changed = false;
		});
		if (lost) this.lose("more was changed in nftables than could be followed");
		if (changed) this.note(`somebody changed table ${this.#table}`);
		return this.#heard;
	}

	#isOurs(body: Buffer): boolean {
		// Others may have tables of our name in families that are not ours.
		if (!ours.has(body[0] as number)) return false;
		const name = attributeMap(body, 4).get(TABLE_NAME);
		return name !== undefined && readText(name) === this.#table;
	}

	#whoChanged(attributes: ReadonlyMap<number, Buffer>): string {
		const name = attributes.get(NFTA_GEN_PROC_NAME);
		const pid = attributes.get(NFTA_GEN_PROC_PID)?.readUInt32BE(0);
		return `${name ? readText(name) : "somebody"} (pid ${pid}) changed table ${this.#table}`;
	}

	close(): void {
		this.#events.close();
	}
}
