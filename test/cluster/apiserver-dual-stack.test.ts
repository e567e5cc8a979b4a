import { randomBytes } from "node:crypto";
import { systemClock } from "../../operator/clock.ts";
import {
	type ApiServer,
	startApiServer,
} from "../../sandbox/apiserver/start.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { quietLog } from "../support/quiet-log.ts";
import { endpoint, type Endpoint, play } from "./apiserver-play.ts";
import {
	balancer,
	create,
	patch,
	type Row,
	services,
} from "./apiserver-step.ts";

// With Service addresses of both families the sandbox's API server answers as the real one does, too.

const both = { ipFamilyPolicy: "RequireDualStack" };
const merge = (spec: object) => patch("merge", `${services}/web`, { spec });

const rows: Row[] = [
	["a Service is of the first family alone", create("web")],
	["a Service may be of both", create("web", both)],
	[
		"PreferDualStack takes both where there are both",
		create("web", { ipFamilyPolicy: "PreferDualStack" }),
	],
	["families alone say which one", create("web", { ipFamilies: ["IPv6"] })],
	[
		"two families mean both, in their order",
		create("web", { ipFamilies: ["IPv6", "IPv4"] }),
		create("two", { ...both, ipFamilies: ["IPv6", "IPv4"] }),
	],
	[
		"a family is named once",
		create("web", { ...both, ipFamilies: ["IPv4", "IPv4"] }),
		create("web", { ipFamilies: ["IPv5"] }),
	],
	[
		"SingleStack is of one family",
		create("web", {
			ipFamilyPolicy: "SingleStack",
			ipFamilies: ["IPv4", "IPv6"],
		}),
	],
	[
		"addresses that are asked for decide the families",
		create("web", { clusterIP: "fd00:10:96::77" }),
		create("two", { clusterIPs: ["fd00:10:96::78", "10.96.0.78"], ...both }),
	],
	[
		"an address must be of its family",
		create("web", { clusterIP: "fd00:10:96::77", ipFamilies: ["IPv4"] }),
	],
	[
		"a headless Service without a selector is of both",
		create("web", { clusterIP: "None", selector: null }),
	],
	[
		"a headless Service with one is of what it says",
		create("web", { clusterIP: "None" }),
		create("two", { clusterIP: "None", ...both }),
	],
	[
		"the second family comes and goes",
		create("web", balancer),
		merge(both),
		merge({
			ipFamilyPolicy: "SingleStack",
			clusterIPs: null,
			ipFamilies: null,
		}),
		merge({ ipFamilyPolicy: "SingleStack" }),
	],
	[
		"the first family stays",
		create("web"),
		merge({ ipFamilies: ["IPv6"] }),
		merge({ ...both, ipFamilies: ["IPv6", "IPv4"] }),
	],
	[
		"an ExternalName Service has no family",
		create("web", {
			type: "ExternalName",
			externalName: "example.com",
			ports: [],
			...both,
		}),
		create("web", both),
		merge({
			type: "ExternalName",
			externalName: "example.com",
			ipFamilyPolicy: null,
			ipFamilies: null,
			clusterIP: null,
			clusterIPs: null,
		}),
	],
	[
		"ingress takes both",
		create("web", { ...balancer, ...both }),
		patch("merge", `${services}/web/status`, {
			status: {
				loadBalancer: {
					ingress: [{ ip: "203.0.113.9" }, { ip: "2001:db8::9" }],
				},
			},
		}),
	],
];

let real: Cluster;
let ours: ApiServer;
let servers: [real: Endpoint, ours: Endpoint];

beforeAll(async () => {
	real = await startCluster({ dualStack: true });
	ours = await startApiServer({
		host: "127.0.0.1",
		port: 0,
		serviceCidrs: ["10.96.0.0/16", "fd00:10:96::/112"],
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
		const [expected, answered] = await Promise.all(
			servers.map((server) => play(server, row, `row-${index}`)),
		);
		expect(answered).toEqual(expected);
	},
	20_000,
);
