import type { IPFamily, Protocol } from "../../api/core.ts";
import { addressBytes } from "../address-bytes.ts";
import { transportNumbers } from "./skeleton.ts";

/**
 * What is in words of four bytes as the rules load them: each part of a key or of data fills whole words. There are a
 * hundred thousand of them: they come from Node's pool, for memory of its own would cost each more than what it holds.
 */

/** A number in the machine's order, as numgen draws it. */
export function numberWord(value: number): Buffer {
	const word = Buffer.allocUnsafe(4);
	word.writeUInt32LE(value);
	return word;
}

/** Address, transport and port. */
export function serviceKey(service: {
	address: string;
	protocol: Protocol;
	port: number;
}): Buffer {
	const address = addressBytes(service.address);
	const { length } = address;
	const key = Buffer.allocUnsafe(length + 8);
	key.set(address, 0);
	// One byte, and three of nothing.
	key.writeUInt32LE(transportNumbers[service.protocol], length);
	key.writeUInt16BE(service.port, length + 4);
	key.writeUInt16BE(0, length + 6);
	return key;
}

/** Address and port. */
export function endpointData(endpoint: {
	address: string;
	port: number;
}): Buffer {
	const address = addressBytes(endpoint.address);
	const data = Buffer.allocUnsafe(address.length + 4);
	data.set(address, 0);
	data.writeUInt16BE(endpoint.port, address.length);
	data.writeUInt16BE(0, address.length + 2);
	return data;
}

/**
 * A number for an endpoint (`endpointData`) that is the same everywhere and at all times: FNV-1a. Rules keep it in a packet's
 * priority, where the upper half names a traffic class, here one that neither people nor the kernel number so, and the last four
 * bits choose a band or queue, here that of packets without a priority (tc-prio(8)).
 */
export function endpointNumber(data: Buffer): number {
	let hash = 0x811c9dc5;
	for (const byte of data) hash = Math.imul(hash ^ byte, 0x01000193);
	return 0x7000_0000 + (hash >>> 8) * 16;
}

export function slotKey(service: Buffer, slot: number): Buffer {
	const key = Buffer.allocUnsafe(service.length + 4);
	key.set(service, 0);
	key.writeUInt32LE(slot, service.length);
	return key;
}

/** The bits of a family's address that a prefix of this length keeps. */
export function prefixMask(family: IPFamily, length: number): Buffer {
	const mask = Buffer.alloc(family === "IPv4" ? 4 : 16);
	for (let bit = 0; bit < length; bit++)
		mask[bit >> 3] = (mask[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
	return mask;
}
