import { randomBytes } from "node:crypto";
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

let real: Cluster;
let ours: ApiServer;
let servers: [real: Endpoint, ours: Endpoint];

beforeAll(async () => {
	// No controller removes the taint that this plugin puts on new nodes, so the sandbox does not put it there.
	real = await startCluster({
		apiServerArgs: ["--disable-admission-plugins=TaintNodesByCondition"],
	});
	ours = await startApiServer({
		host: "127.0.0.1",
		port: 0,
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
