import type { IPFamily, Protocol } from "../../api/core.ts";
import { addressBytes } from "../address-bytes.ts";
import { transportNumbers } from "./skeleton.ts";

/** What is in words of four bytes as the rules load them: each part of a key or of data fills whole words. */

/** A number in the machine's order, as numgen draws it. */
export function numberWord(value: number): Buffer {
	const word = Buffer.alloc(4);
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
	const key = Buffer.alloc(address.length + 8);
	key.set(address, 0);
	key[address.length] = transportNumbers[service.protocol];
	key.writeUInt16BE(service.port, address.length + 4);
	return key;
}

/** Address and port. */
export function endpointData(endpoint: {
	address: string;
	port: number;
}): Buffer {
	const address = addressBytes(endpoint.address);
	const data = Buffer.alloc(address.length + 4);
	data.set(address, 0);
	data.writeUInt16BE(endpoint.port, address.length);
	return data;
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
