import { readFileSync } from "node:fs";
import { join } from "node:path";
import { jest } from "@jest/globals";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { addressSubjects } from "./kube-proxy-differential-address-rows.ts";
import { outcomes } from "./kube-proxy-differential-answers.ts";
import { type Asked, Desk } from "./kube-proxy-differential-desk.ts";
import { differenceSubjects } from "./kube-proxy-differential-difference-rows.ts";
import { endpointSubjects } from "./kube-proxy-differential-endpoint-rows.ts";
import { policySubjects } from "./kube-proxy-differential-policy-rows.ts";
import { Side } from "./kube-proxy-differential-side.ts";
import {
	type Outcome,
	parseQuestion,
	type Question,
} from "./kube-proxy-differential-subject.ts";

// A ceiling for a machine that is busy with other things.
jest.setTimeout(240_000);

const subjects = {
	...addressSubjects,
	...endpointSubjects,
	...policySubjects,
	...differenceSubjects,
};

interface Row {
	subject: string;
	question: Question;
	/** The difference it shows, if it shows one. */
	about?: string;
	kubeProxy: Outcome;
	fairlead: Outcome;
}

const rows: Row[] = Object.entries(subjects).flatMap(
	([subject, { rows: texts, differences = [] }]) => [
		...texts.flatMap(([text, outcome]) =>
			parseQuestion(text).map((question) => ({
				subject,
				question,
				kubeProxy: inOrder(outcome),
				fairlead: inOrder(outcome),
			})),
		),
		...differences.flatMap(({ question: text, ...difference }) =>
			parseQuestion(text).map((question) => ({
				subject,
				question,
				about: difference.about,
				kubeProxy: inOrder(difference.kubeProxy),
				fairlead: inOrder(difference.fairlead),
			})),
		),
	],
);

const sides: Side[] = [];
let cluster: Cluster;
let desk: Desk;
const asked = new Map<string, Asked>();
let found: Map<Row, { kubeProxy: Outcome; fairlead: Outcome }>;

beforeAll(async () => {
	cluster = await startCluster({
		dualStack: true,
		// Objects from before 1.36 may hold what is refused since.
		apiServerArgs: ["--feature-gates=StrictIPCIDRValidation=false"],
	});
	const [kubeProxy, fairlead] = await Promise.all([
		Side.prepare(cluster),
		Side.prepare(cluster),
	]);
	sides.push(kubeProxy, fairlead);
	desk = await Desk.open(cluster, fairlead.world);
	await Promise.all(
		Object.entries(subjects).map(async ([name, subject]) => {
			asked.set(name, await desk.write(subject));
		}),
	);
	await Promise.all([
		kubeProxy.startKubeProxy(cluster),
		fairlead.startFairlead(cluster),
	]);
	const inquiries = (side: "kubeProxy" | "fairlead") =>
		rows.map((row) => ({
			asked: asked.get(row.subject) as Asked,
			question: row.question,
			expected: row[side],
		}));
	const [theirs, ours] = await Promise.all([
		outcomes(kubeProxy, inquiries("kubeProxy")),
		outcomes(fairlead, inquiries("fairlead")),
	]);
	found = new Map(
		rows.map((row, index) => [
			row,
			{
				kubeProxy: theirs[index] as Outcome,
				fairlead: ours[index] as Outcome,
			},
		]),
	);
});

afterAll(async () => {
	desk?.client.close();
	for (const side of sides) await side.close();
	await cluster?.stop();
});

describe.each(Object.keys(subjects))("%s", (subject) => {
	test.each(
		rows
			.filter((row) => row.subject === subject)
			.map((row) => ({ row, sentence: sentenceOf(row) })),
	)("$sentence", ({ row }) => {
		const { kubeProxy, fairlead } = row;
		expect(found.get(row)).toEqual({ kubeProxy, fairlead });
	});
});

function sentenceOf({ question, kubeProxy, fairlead }: Row): string {
	const { from, target, port, protocol, family } = question;
	const asked = `${from} -> ${target} ${port} ${protocol} ${family}`;
	return kubeProxy === fairlead
		? `${asked}: ${fairlead}`
		: `${asked}: ${fairlead}, other than kube-proxy: ${kubeProxy}`;
}

/** As outcomes are found. */
function inOrder(outcome: Outcome): Outcome {
	return outcome.startsWith("always ")
		? outcome
		: outcome.split(", ").sort().join(", ");
}

describe("beside packets", () => {
	const side = (name: "kubeProxy" | "fairlead") =>
		sides[name === "kubeProxy" ? 0 : 1] as Side;

	test("Fairlead refuses TCP by reset, kube-proxy by ICMP", () => {
		const refused = asked.get("a Service without endpoints") as Asked;
		for (const address of refused.service.spec.clusterIPs ?? []) {
			const from = `${address} 80`.toUpperCase();
			expect([...side("fairlead").resets()]).toContain(from);
			expect([...side("kubeProxy").resets()]).not.toContain(from);
		}
	});

	test("kube-proxy sets how long connections are tracked, Fairlead leaves it as it is", () => {
		const path = "netfilter/nf_conntrack_tcp_timeout_established";
		expect(side("kubeProxy").setting(path)).toBe("86400");
		expect(side("fairlead").setting(path)).toBe("432000");
	});

	test("kube-proxy's metrics have a label ip_family", async () => {
		const series = /kubeproxy_sync_proxy_rules_duration_seconds_count(.*)/;
		expect(series.exec(await side("kubeProxy").metrics())?.[1]).toMatch(
			/ip_family="IPv4"/,
		);
		const [, ours] = series.exec(await side("fairlead").metrics()) ?? [];
		expect(ours).toBeDefined();
		expect(ours).not.toMatch(/ip_family/);
	});
});

/** Rows of the table of differences that other tests show: those above, and kube-proxy-differential-{changes,node}.test.ts. */
const shownElsewhere = [
	"refusing a TCP connection",
	"sysctls of connection tracking, below `net.netfilter`",
	"the label `ip_family` of its metrics",
	"`/healthz` before the first sync",
	"two Services want one address and port",
	"UDP flows of a Service that goes",
	"UDP flows whose last endpoint goes",
];

test("docs/reference/rules.md lists the differences, and no others", () => {
	const page = readFileSync(
		join(import.meta.dirname, "../../docs/reference/rules.md"),
		"utf8",
	);
	const [, table = ""] = page.split("## Where this differs from kube-proxy");
	const listed = [
		...(table.split("\n## ")[0] ?? "").matchAll(/^\| ([^|]+?) \|/gm),
	]
		.map(([, cell]) => cell)
		.filter((cell) => cell !== "---");
	expect(new Set(listed)).toEqual(
		new Set([...rows.flatMap(({ about }) => about ?? []), ...shownElsewhere]),
	);
});
