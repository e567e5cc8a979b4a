import { readPortPair, readReserved, readSockets } from "./proc-sockets.ts";

const head =
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const row = (local: string, state: string) =>
	`   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 12345 1 0000000000000000 100 0 0 10 0`;
const v6 = (address: string, port: string) => `${address}:${port}`;

test.each<[string, "tcp" | "tcp6" | "udp" | "udp6", string, string[]]>([
	["a listening socket", "tcp", row("00000000:7580", "0A"), ["30080/TCP"]],
	["one on an address", "tcp", row("0100000A:7580", "0A"), ["30080/TCP"]],
	["one on loopback", "tcp", row("0100007F:7580", "0A"), []],
	["a connection", "tcp", row("00000000:7580", "01"), []],
	["a bound UDP socket", "udp", row("00000000:7565", "07"), ["30053/UDP"]],
	["a connected UDP socket", "udp", row("00000000:7565", "01"), []],
	[
		"an IPv6 socket",
		"tcp6",
		row(v6("00000000000000000000000000000000", "7580"), "0A"),
		["30080/TCP"],
	],
	[
		"one on ::1",
		"tcp6",
		row(v6("00000000000000000000000001000000", "7580"), "0A"),
		[],
	],
	[
		"one on ::ffff:127.0.0.1",
		"tcp6",
		row(v6("0000000000000000FFFF00000100007F", "7580"), "0A"),
		[],
	],
	["an empty table", "tcp", "", []],
])("%s in %s", (_what, table, line, expected) => {
	expect(
		readSockets(table, `${head}\n${line}\n`).map(
			({ port, protocol }) => `${port}/${protocol}`,
		),
	).toEqual(expected);
});

test("the kernel's settings are read as it writes them", () => {
	expect(readPortPair("32768\t60999\n")).toEqual([32_768, 60_999]);
	expect(readPortPair("")).toBeUndefined();
	expect(readReserved("8080,9148-9200\n")).toEqual([
		[8_080, 8_080],
		[9_148, 9_200],
	]);
	expect(readReserved("\n")).toEqual([]);
});
