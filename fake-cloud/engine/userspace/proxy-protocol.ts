import { isIP } from "node:net";
import type { Client } from "../engine.ts";

/** The line a target reads first when `proxyprotocol` is on: PROXY protocol version 1 (haproxy.org/download/3.2/doc/proxy-protocol.txt, 2.1). */
export function proxyHeader(
	client: Client,
	address: string,
	port: number,
): string {
	const family = isIP(address);
	if (family === 0 || isIP(client.address) !== family)
		return "PROXY UNKNOWN\r\n";
	return `PROXY TCP${family} ${client.address} ${address} ${client.port} ${port}\r\n`;
}
