import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { systemClock } from "../../operator/clock.ts";
import {
	type ApiServer,
	startApiServer,
} from "../../sandbox/apiserver/start.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { quietLog } from "../support/quiet-log.ts";
import { endpoint, type Endpoint, play } from "./apiserver-play.ts";
import { rows } from "./apiserver-requests.ts";

// The sandbox's API server answers as the real one does: the same requests, the same codes, reasons, messages, objects.

const folder = join(import.meta.dirname, "../../crds");
let real: Cluster;
let ours: ApiServer;
let servers: [real: Endpoint, ours: Endpoint];

beforeAll(async () => {
	// No controller removes the taint that this plugin puts on new nodes, so the sandbox does not put it there.
	real = await startCluster({
		apiServerArgs: ["--disable-admission-plugins=TaintNodesByCondition"],
	});
	const crds = ["addresspool", "balancerclass"].map((name) => {
		const text = readFileSync(join(folder, `${name}.yaml`), "utf8");
		return parse(text) as object;
	});
	const applied = await real.kubectl(["apply", "-f", folder]);
	const established = await real.kubectl([
		...["wait", "crd", "--all"],
		...["--for=condition=Established", "--timeout=30s"],
	]);
	if (applied.code !== 0 || established.code !== 0)
		throw new Error(applied.stderr + established.stderr);
	ours = await startApiServer({
		host: "127.0.0.1",
		port: 0,
		advertise: {
			address: "192.0.2.1",
			port: Number(new URL(real.server).port),
		},
		crds,
		clock: systemClock,
		random: (bytes) => randomBytes(bytes),
		log: quietLog(),
	});
	servers = [
		endpoint(real.server, real.ca, real.adminToken),
		endpoint(ours.url, ours.ca, ours.adminToken),
	];
}, 60_000);

afterAll(async () => {
	await ours.close();
	await real.stop();
});

test.each(rows.map((row, index) => [row[0], index] as const))(
	"%s",
	async (_, index) => {
		const row = rows[index];
		if (!row) throw new Error(`no row ${index}`);
		const namespace = `row-${index}`;
		const [expected, answered] = await Promise.all(
			servers.map((server) => play(server, row, namespace)),
		);
		expect(answered).toEqual(expected);
	},
);
