import type { NetworkNamespace } from "../namespaces.ts";
import { NETLINK_NETFILTER, NetlinkSocket } from "../netlink.ts";
import { attributeMap, readText } from "../netlink-message.ts";
import {
	NFNL_SUBSYS_NFTABLES,
	NFNLGRP_NFTABLES,
	NFT_MSG_NEWGEN,
} from "./wire.ts";

/** Every message about a table or something in it says its name in its first attribute. */
const TABLE_NAME = 1;
const NFTA_GEN_PROC_PID = 2;
const NFTA_GEN_PROC_NAME = 3;

/** Hears, through the kernel's notifications, what others do to a table. */
export class TableWatch {
	readonly #events: NetlinkSocket;
	readonly #table: string;
	readonly #ourPort: number;
	#heard: string | undefined;
	#listening = false;

	/** @param ourPort port id of the socket that writes: its changes are ours */
	constructor(namespace: NetworkNamespace, table: string, ourPort: number) {
		this.#events = new NetlinkSocket(namespace, NETLINK_NETFILTER);
		this.#table = table;
		this.#ourPort = ourPort;
	}

	/** Hears nothing until `resume`: a notification for each of a hundred thousand elements would be more work than the elements. */
	pause(): void {
		if (this.#listening) this.#events.leave(NFNLGRP_NFTABLES);
		this.#listening = false;
		this.#events.poll();
	}

	/** Begins anew, with nothing heard. */
	resume(): void {
		if (!this.#listening) this.#events.join(NFNLGRP_NFTABLES);
		this.#listening = true;
		this.#heard = undefined;
	}

	/** Remembers a reason of our own. */
	note(reason: string): void {
		this.#heard ??= reason;
	}

	/** Who changed the table since `resume`; undefined if nobody did. */
	heard(): string | undefined {
		const { messages, lost } = this.#events.poll();
		if (lost) this.note("more was changed in nftables than could be followed");
		let changed = false;
		for (const { type, portId, body } of messages) {
			if (type >> 8 !== NFNL_SUBSYS_NFTABLES || portId === this.#ourPort)
				continue;
			const attributes = attributeMap(body, 4);
			if ((type & 0xff) !== NFT_MSG_NEWGEN) {
				changed ||=
					readText(attributes.get(TABLE_NAME) ?? Buffer.alloc(0)) ===
					this.#table;
				continue;
			}
			// The last message of each transaction says who made it.
			if (changed) {
				const name = attributes.get(NFTA_GEN_PROC_NAME);
				const pid = attributes.get(NFTA_GEN_PROC_PID)?.readUInt32BE(0);
				this.note(
					`${name ? readText(name) : "somebody"} (pid ${pid}) changed table ${this.#table}`,
				);
			}
			changed = false;
		}
		if (changed) this.note(`somebody changed table ${this.#table}`);
		return this.#heard;
	}

	close(): void {
		this.#events.close();
	}
}
