import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { decodeMessage } from "../../operator/dns/decode.ts";
import { types } from "../../operator/dns/message.ts";
import type { SocketAddress } from "../../operator/dns/upstreams.ts";
import { binariesFolder } from "./cluster-binaries.ts";
import { ClusterProcesses } from "./cluster-processes.ts";
import { UdpClient, wire } from "./dns-client.ts";
import { query } from "./dns-messages.ts";

/** A running CoreDNS; `stop` rejects when it had died by itself. */
export interface CoreDns {
	pid: number;
	address: SocketAddress;
	stop(): Promise<void>;
}

/**
 * Starts the real CoreDNS on loopback and resolves once it answers.
 *
 * @param block What stands in its one server block; `files` are written beside, and may be named there by `{folder}`.
 */
export async function startCoreDns(
	block: string,
	files: Record<string, string> = {},
): Promise<CoreDns> {
	const command = join(binariesFolder(["coredns"]), "coredns");
	const processes = await ClusterProcesses.start("127.0.0.1");
	const address = { host: "127.0.0.1", port: processes.port };
	const { folder } = processes;
	for (const [name, content] of Object.entries(files))
		writeFileSync(join(folder, name), content);
	const config = join(folder, "Corefile");
	writeFileSync(
		config,
		`.:${address.port} {\n\tbind 127.0.0.1\n\terrors\n${block.replaceAll("{folder}", folder)}\n}\n`,
	);
	let pid: number;
	try {
		pid = await processes.start("coredns", command, ["-conf", config], () =>
			missing(address),
		);
	} catch (error) {
		await processes.end(false);
		throw error;
	}
	return {
		pid,
		address,
		async stop() {
			const deaths = [...processes.deaths].map(([, how]) => how);
			const logs = await processes.end(deaths.length > 0);
			if (deaths.length > 0)
				throw new Error(`CoreDNS died: ${deaths.join(", ")}; logs: ${logs}`);
		},
	};
}

/** Resolves with nothing when any answer comes, else with what is missing. */
async function missing(address: SocketAddress): Promise<string | undefined> {
	const client = new UdpClient(address);
	const silence = new Promise<undefined>((resolve) =>
		setTimeout(() => resolve(undefined), 250).unref(),
	);
	try {
		// A socket of its own for each try: what arrives late must not be taken for the next answer.
		const answer = await Promise.race([
			client.ask(wire(query(".", types.NS))),
			silence,
		]);
		if (!answer) return "no answer";
		decodeMessage(answer);
		return undefined;
	} finally {
		client.close();
	}
}
