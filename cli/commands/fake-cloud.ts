import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { parseTokenFile, type Token } from "../../fake-cloud/api/tokens.ts";
import { explainCluster } from "../../fake-cloud/dashboard/explain-cluster.ts";
import { followCluster } from "../../fake-cloud/dashboard/services/follow-cluster.ts";
import { startFakeCloud } from "../../fake-cloud/server.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import { loadConnection } from "../../operator/cluster/kubeconfig.ts";
import { FairleadError } from "../../operator/errors.ts";
import type { fakeCloudFlags } from "../config.ts";
import type { FlagValues } from "../flags.ts";
import { type Runtime, stopped } from "../runtime.ts";

export async function fakeCloud(
	flags: FlagValues<typeof fakeCloudFlags>,
	runtime: Runtime,
): Promise<void> {
	const { clock, random, stdout } = runtime;
	const log = await runtime.createLog(flags["log-level"]);
	const file = flags["token-file"];
	const tokens: Token[] =
		file === undefined
			? [{ token: randomBytes(24).toString("hex") }]
			: await readTokens(file);
	const client =
		flags.kubeconfig === undefined
			? undefined
			: createKubeClient(
					await loadConnection({ path: flags.kubeconfig, clock, log }),
					{ clock, log, userAgent: "fairlead-fake-cloud" },
				);
	const services = client && followCluster({ client, clock, random, log });
	const cloud = await startFakeCloud({
		host: flags.listen.host,
		port: flags.listen.port,
		dataDir: flags.data ?? ":memory:",
		doorPort: flags.door ?? 0,
		tokens,
		...(client && {
			explain: explainCluster(client, { clock, namespace: flags.namespace }),
		}),
		...(services && { services: services.feed }),
		clock,
		random,
		log,
	});
	stdout("Fairlead's fake cloud");
	stdout("");
	stdout(`  dashboard  ${cloud.url}/`);
	stdout(`  API        ${cloud.url}/v1`);
	stdout(`  door       socks5h://${cloud.door}`);
	if (file === undefined) stdout(`  token      ${tokens[0]?.token}`);
	stdout(
		`  data       ${flags.data ?? "in memory, forgotten at the end (keep it with --data DIR)"}`,
	);
	await stopped(runtime);
	await cloud.close();
	await services?.stop();
	client?.close();
}

async function readTokens(file: string): Promise<Token[]> {
	let content: string;
	try {
		content = await readFile(file, "utf8");
	} catch (cause) {
		throw new FairleadError(
			"FlagInvalid",
			`--token-file ${file}: ${(cause as Error).message}`,
			{ cause },
		);
	}
	return parseTokenFile(content);
}
