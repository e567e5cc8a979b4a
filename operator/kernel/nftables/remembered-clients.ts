import { isFairleadError } from "../../errors.ts";
import type { Frontend } from "../../model/rules/program.ts";
import type { NetlinkSocket } from "../netlink.ts";
import { addElements, type Element, scanElements } from "./elements.ts";
import { allEndpoints } from "./frontend-elements.ts";
import { endpointData, endpointNumber, serviceKey } from "./keys.ts";
import type { Step } from "./objects.ts";
import type { TableName } from "./wire.ts";

/** How many are looked at: the kernel begins anew at the first for every 32 KiB, so that all of a full map would take it minutes. */
const MOST_CLIENTS = 1 << 16;
/** Clients that are in memory as objects at one time. */
const AT_ONCE = 512;

/**
 * Steps that let a table, when it is written anew, remember the clients it remembers now, whoever wrote it, with the time they
 * have left: those whose endpoint is still one of their frontend. The socket is good for nothing else afterwards. The rules see to it that nobody comes to one that is not his.
 */
export function lastingClients(
	socket: Pick<NetlinkSocket, "dump">,
	table: TableName,
	frontends: readonly Frontend[],
): Step[] {
	const lasting = numbersByFrontend(table, frontends);
	if (lasting.size === 0) return [];
	const address = table.family === "IPv4" ? 4 : 16;
	const keyLength = 2 * address + 8;
	let steps: Step[] = [];
	let some: Element[] = [];
	let count = 0;
	const write = () => {
		steps.push(...addElements(table, "affinity", some));
		some = [];
	};
	try {
		scanElements(socket, table, "affinity", () => {
			steps = [];
			some = [];
			count = 0;
			return (body, { key, keyBytes, data, dataBytes, leftMs }) => {
				const reading = ++count < MOST_CLIENTS ? "go on" : "enough";
				if (leftMs <= 0) return reading;
				// A table of another version may remember in another way.
				if (keyBytes !== keyLength || dataBytes !== 4) return reading;
				const frontend = body.toString("latin1", key + address, key + keyBytes);
				if (!lasting.get(frontend)?.has(body.readUInt32LE(data)))
					return reading;
				some.push({
					key: Buffer.from(body.subarray(key, key + keyBytes)),
					data: Buffer.from(body.subarray(data, data + dataBytes)),
					timeoutMs: leftMs,
				});
				if (some.length === AT_ONCE) write();
				return reading;
			};
		});
	} catch (error) {
		if (isFairleadError(error) && error.reason === "ENOENT") return [];
		throw error;
	}
	write();
	return steps;
}

/** By frontend that remembers: the numbers of its endpoints. */
function numbersByFrontend(
	{ family }: TableName,
	frontends: readonly Frontend[],
): Map<string, ReadonlySet<number>> {
	const numbers = new Map<string, ReadonlySet<number>>();
	for (const frontend of frontends) {
		if (frontend.family !== family) continue;
		if (frontend.affinitySeconds === undefined) continue;
		numbers.set(
			serviceKey(frontend).toString("latin1"),
			new Set(
				allEndpoints(frontend).map((endpoint) =>
					endpointNumber(endpointData(endpoint)),
				),
			),
		);
	}
	return numbers;
}
