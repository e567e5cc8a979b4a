import { FairleadError, isFairleadError } from "../../errors.ts";
import type {
	Frontend,
	Program,
	ProgramChange,
	RulesBackend,
} from "../../model/rules/program.ts";
import type { NetworkNamespace } from "../namespaces.ts";
import { NETLINK_NETFILTER, NetlinkSocket } from "../netlink.ts";
import { forgetStaleFlows } from "./leftovers.ts";
import { guardLeftMs } from "./guard.ts";
import type { Step } from "./objects.ts";
import { differenceFrom } from "./read-back.ts";
import { lastingClients } from "./remembered-clients.ts";
import { Table } from "./table.ts";
import {
	commit,
	commitInParts,
	type Part,
	readGeneration,
} from "./transaction.ts";
import { TableWatch } from "./watch.ts";

export interface NftablesOptions {
	/** The name of our table, one in each family. Default `fairlead`. */
	table?: string;
	/** As of NetlinkSocket. */
	bufferBytes?: number;
	/** How much of what others do may wait to be followed, in bytes; what is lost costs a reading of our tables. */
	watchBytes?: number;
	/** The rules count only so long without `keepAlive`, in milliseconds; absent: for ever. */
	guardMs?: number;
}

/** The kernel tells of every element of a transaction: beyond this size that costs more than it is worth. */
const QUIET_BYTES = 1 << 16;
/** How often a large write begins again because somebody else changed nftables at the same moment, before it is done regardless. */
const REBUILD_ATTEMPTS = 20;

/** The rules of one namespace in nf_tables, written over netlink. */
export class NftablesBackend implements RulesBackend {
	onTrouble: RulesBackend["onTrouble"];
	readonly keepAlive?: () => void;
	readonly #namespace: NetworkNamespace;
	readonly #socket: NetlinkSocket;
	readonly #watch: TableWatch;
	readonly #tables: readonly Table[];
	/** Why what others do is not heard since our last write. */
	#deaf: Error | undefined;

	/** @throws KernelUnsupported or KernelDenied where nf_tables is not to be had */
	constructor(namespace: NetworkNamespace, options: NftablesOptions = {}) {
		const {
			table = "fairlead",
			guardMs,
			watchBytes,
			...socketOptions
		} = options;
		this.#namespace = namespace;
		this.#socket = new NetlinkSocket(
			namespace,
			NETLINK_NETFILTER,
			socketOptions,
		);
		try {
			const { portId } = readGeneration(this.#socket);
			this.#watch = new TableWatch(namespace, table, portId, watchBytes);
		} catch (error) {
			this.#socket.close();
			throw error;
		}
		this.#watch.note("nothing has been written yet");
		this.#tables = (["IPv4", "IPv6"] as const).map(
			(family) => new Table({ family, name: table }, guardMs),
		);
		if (guardMs !== undefined) this.keepAlive = () => this.#renewGuard();
	}

	replace(program: Program, stale?: "stale"): void {
		const frontends = [...program.frontends.values()];
		const held = [...program.held.values()];
		this.#rewrite(
			this.#tables.flatMap((table) => {
				const own = frontends.filter(
					({ family }) => family === table.name.family,
				);
				return [
					...table.rebuild(own, held, program, this.#clientsOf(table, own)),
					table.renew(stale && guardLeftMs(this.#socket, table.name)),
				];
			}),
		);
		this.#forgetStale(frontends.map((after) => ({ after })));
	}

	forgetGone(frontends: readonly Frontend[]): void {
		this.#forgetStale(frontends.map((before) => ({ before })));
	}

	/** Rules come first: without their clients, if those cannot be read. */
	#clientsOf({ name }: Table, frontends: readonly Frontend[]): Step[] {
		let clients: Step[] = [];
		this.#orTrouble(() => {
			const socket = new NetlinkSocket(this.#namespace, NETLINK_NETFILTER);
			try {
				clients = lastingClients(socket, name, frontends);
			} finally {
				socket.close();
			}
		});
		return clients;
	}

	apply(change: ProgramChange): void {
		refuseDrift(this.#heard());
		try {
			const parts = this.#tables.flatMap((table) => table.change(change));
			if (parts.length > 0) this.#write(parts);
		} catch (error) {
			// The tables have taken note of what is not so now.
			this.#watch.note("a change was refused");
			throw error;
		}
		this.#forgetStale(change.frontends);
	}

	/** The rules are in force: what fails from here on is no refusal of them. */
	#forgetStale(changes: ProgramChange["frontends"]): void {
		for (const { name } of this.#tables)
			this.#orTrouble(() =>
				forgetStaleFlows(this.#socket, name.family, changes),
			);
	}

	#orTrouble(work: () => void): void {
		try {
			work();
		} catch (error) {
			this.onTrouble?.(error as Error);
		}
	}

	drift(inForce?: Program): string | undefined {
		const heard = this.#heard();
		const { doubt } = this.#watch;
		if (heard !== undefined || doubt === undefined) return heard;
		if (!inForce) return doubt;
		this.#watch.settle();
		const different = this.#differenceFrom(inForce, doubt);
		if (different !== undefined) this.#watch.note(`${doubt}: ${different}`);
		return different && `${doubt}: ${different}`;
	}

	#differenceFrom(inForce: Program, doubt: string): string | undefined {
		try {
			for (const table of this.#tables) {
				const expected = table.expected(inForce);
				const different = differenceFrom(this.#socket, expected);
				if (different !== undefined) return different;
			}
			return undefined;
		} catch (error) {
			if (isFairleadError(error) && error.reason === "ENOENT")
				return error.message;
			this.#watch.lose(doubt);
			throw error;
		}
	}

	/** Where the tables are not as they were left, `replace` is due, which sets the guard too. */
	#renewGuard(): void {
		if (this.#heard() !== undefined) return;
		commit(
			this.#socket,
			this.#tables.flatMap((table) => table.renew()),
		);
	}

	/** Connections that are translated end with the namespace's last nat chain: the kernel translates for nobody else. */
	remove(): void {
		this.#rewrite(this.#tables.map((table) => table.drop()));
		this.#watch.note("the rules were removed");
	}

	close(): void {
		this.#watch.close();
		this.#socket.close();
	}

	#write(parts: readonly Part[]): void {
		if (sizeOf(parts) <= QUIET_BYTES) {
			commitInParts(this.#socket, parts);
			return;
		}
		refuseDrift(this.#watch.pause());
		const { doubt } = this.#watch;
		const { generation, transactions } = this.#commitQuietly(parts);
		const heard = this.#watch.hasHeard(generation);
		this.#listenSince(
			generation + transactions,
			heard ? doubt : (doubt ?? "somebody changed nftables right before us"),
		);
	}

	/** What others did before is gone with what was there. */
	#rewrite(parts: readonly Part[]): void {
		this.#watch.pause();
		const { generation, transactions } = this.#commitQuietly(parts);
		this.#listenSince(generation + transactions);
	}

	/**
	 * Without being told of every element we write, and sure all the same that nobody else's transaction came between.
	 *
	 * @returns the generation it was written upon
	 */
	#commitQuietly(parts: readonly Part[]): {
		generation: number;
		transactions: number;
	} {
		for (let attempt = 1; ; attempt++) {
			try {
				const { generation } = readGeneration(this.#socket);
				const transactions = commitInParts(
					this.#socket,
					parts,
					attempt < REBUILD_ATTEMPTS ? generation : undefined,
				);
				if (transactions > 0) return { generation, transactions };
			} catch (error) {
				this.#watch.note("a change was refused");
				throw error;
			}
		}
	}

	/** Our writing led to this generation; `doubt` is about what others did before it. What is written stays so if this fails. */
	#listenSince(generation: number, doubt?: string): void {
		this.#deaf = undefined;
		try {
			this.#watch.resume();
			if (doubt !== undefined) this.#watch.lose(doubt);
			const now = readGeneration(this.#socket).generation;
			this.#watch.begin(now);
			if (now !== generation)
				this.#watch.lose("somebody changed nftables right after us");
		} catch (error) {
			this.#deaf = error as Error;
		}
	}

	/** What others are known to have done since our last write. */
	#heard(): string | undefined {
		if (this.#deaf) throw this.#deaf;
		return this.#watch.heard();
	}
}

function refuseDrift(drift: string | undefined): void {
	if (drift === undefined) return;
	throw new FairleadError("KernelFailed", `cannot change the rules: ${drift}`, {
		reason: "Drift",
	});
}

function sizeOf(parts: readonly Part[]): number {
	return parts
		.flat()
		.reduce((sum, { message }) => sum + message.body.length, 0);
}
