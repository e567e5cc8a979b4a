import { jest } from "@jest/globals";
import fc from "fast-check";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import type {
	AddressPool,
	LabelSelector,
} from "../../operator/api/fairlead.ts";
import {
	arrangePools,
	compilePool,
} from "../../operator/model/addresses/pool.ts";
import { parsePoolEntry } from "../../operator/model/addresses/cidr.ts";
import {
	compilePolicy,
	type PolicySpec,
} from "../../operator/model/external-ips/compiled-policy.ts";
import {
	isGranted,
	readGrants,
} from "../../operator/model/external-ips/grants.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";

jest.setTimeout(120_000);

const root = join(import.meta.dirname, "../..");
const admission = join(
	root,
	"helm/fairlead/templates/external-ip-admission.yaml",
);
const policies = "/apis/fairlead.dev/v1alpha1/externalippolicies";

const agent = new Agent({ keepAlive: true });
let cluster: Cluster;

/** One call to the API server as the admin. */
async function call(
	method: string,
	path: string,
	body?: object,
	contentType = "application/json",
): Promise<{
	code: number;
	body: { message?: string } & Record<string, unknown>;
}> {
	const sent = request(`${cluster.server}${path}`, {
		agent,
		ca: cluster.ca,
		method,
		headers: {
			authorization: `Bearer ${cluster.adminToken}`,
			"content-type": contentType,
		},
	});
	const answered = once(sent, "response") as Promise<[IncomingMessage]>;
	sent.end(body && JSON.stringify(body));
	const [answer] = await answered;
	return { code: answer.statusCode ?? 0, body: (await json(answer)) as never };
}

async function must(
	...args: Parameters<typeof call>
): Promise<Record<string, unknown>> {
	const { code, body } = await call(...args);
	if (code >= 300)
		throw new Error(`${args[0]} ${args[1]}: ${code} ${body.message}`);
	return body;
}

interface Wish {
	name?: string;
	namespace?: string;
	externalIPs?: string[];
	labels?: Record<string, string>;
	finalizers?: string[];
}

const service = ({ name = "it", externalIPs, labels, finalizers }: Wish) => ({
	apiVersion: "v1",
	kind: "Service",
	metadata: { name, labels, finalizers },
	spec: { ports: [{ port: 80 }], externalIPs },
});
const servicesOf = (namespace = "shop") =>
	`/api/v1/namespaces/${namespace}/services`;

/** What the API server says to a Service it is asked to check without keeping: "accepted", or the refusal. */
async function create(wish: Wish): Promise<string> {
	const { code, body } = await call(
		"POST",
		`${servicesOf(wish.namespace)}?dryRun=All`,
		service(wish),
	);
	return code === 201 ? "accepted" : String(body.message);
}

/** As `create`, for a merge patch of a Service that is there. */
async function update(
	name: string,
	patch: object,
	dryRun = true,
): Promise<string> {
	const { code, body } = await call(
		"PATCH",
		`${servicesOf()}/${name}${dryRun ? "?dryRun=All" : ""}`,
		patch,
		"application/merge-patch+json",
	);
	return code === 200 ? "accepted" : String(body.message);
}

const sentinel = "192.0.2.254";

/**
 * Writes the policy and resolves when admission goes by it: one more grant, different every time, shows it. Admission reads
 * policies from a watch of its own, so that a write alone proves nothing.
 */
let round = 0;
async function policy(spec: PolicySpec): Promise<void> {
	const mark = `round-${++round}`;
	await must(
		"PATCH",
		`${policies}/compiled?fieldManager=test&force=true`,
		{
			apiVersion: "fairlead.dev/v1alpha1",
			kind: "ExternalIPPolicy",
			metadata: { name: "compiled" },
			spec: {
				...spec,
				grants: [
					...spec.grants,
					{
						pool: "sentinel",
						cidrs: [`${sentinel}/32`],
						serviceSelector: { matchLabels: { mark } },
					},
				],
			},
		},
		"application/apply-patch+yaml",
	);
	await eventually(
		() => create({ externalIPs: [sentinel], labels: { mark } }),
		(said) => expect(said).toBe("accepted"),
		10_000,
	);
}

const pool = (
	name: string,
	addresses: string[],
	spec: Partial<AddressPool["spec"]> = {},
): AddressPool => ({
	metadata: { name },
	spec: { addresses, uses: ["ExternalIP"], ...spec },
});
const compiled = (pools: AddressPool[], own: string[] = []): PolicySpec =>
	compilePolicy(
		arrangePools(pools.map(compilePool)).pools,
		own.map((entry) => {
			const range = parsePoolEntry(entry);
			if (!range.ok) throw new Error(range.reason);
			return range.value;
		}),
	).spec;

beforeAll(async () => {
	cluster = await startCluster({ dualStack: true });
	const apply = async (...files: string[]) => {
		const applied = await cluster.kubectl([
			"apply",
			...files.map((file) => `--filename=${file}`),
		]);
		if (applied.code !== 0) throw new Error(applied.stderr);
	};
	await apply(join(root, "crds/externalippolicy.yaml"));
	const established = await cluster.kubectl([
		...["wait", "--for=condition=Established", "--timeout=30s"],
		"crd/externalippolicies.fairlead.dev",
	]);
	if (established.code !== 0) throw new Error(established.stderr);
	for (const [name, labels] of [
		["shop", { team: "a" }],
		["other", { team: "b" }],
		["plain", {}],
	] as const)
		await must("POST", "/api/v1/namespaces", {
			apiVersion: "v1",
			kind: "Namespace",
			metadata: { name, labels },
		});
	// What was there before anybody asked whether it may be.
	for (const wish of [
		{ name: "old", externalIPs: ["8.8.8.8"], finalizers: ["test.dev/hold"] },
		{ name: "old-two", externalIPs: ["8.8.8.8", "1.1.1.1"] },
		{ name: "plain" },
		{
			name: "leaving",
			finalizers: ["test.dev/hold"],
			externalIPs: ["9.9.9.9"],
		},
	])
		await must("POST", servicesOf(), service(wish));
	await apply(admission);
});
afterAll(() => {
	agent.destroy();
	return cluster.stop();
});

describe("before the policy is there", () => {
	it("every Service is refused, for nobody knows what is granted, and the refusal says what is missing", async () => {
		await eventually(
			() => create({}),
			(said) =>
				expect(said).toContain(
					"no params found for policy binding with `Deny` parameterNotFoundAction",
				),
			10_000,
		);
	});

	it("status is not held up, nor is the deletion of a Service", async () => {
		await must(
			"PATCH",
			`${servicesOf()}/leaving/status`,
			{ metadata: { annotations: { seen: "yes" } } },
			"application/merge-patch+json",
		);
		await must("DELETE", `${servicesOf()}/leaving`);
	});
});

describe("with pools, ranges and both families", () => {
	beforeAll(async () => {
		await policy(
			compiled(
				[
					pool("everybody", ["198.51.100.0/28"]),
					pool("team-a", ["203.0.113.10-203.0.113.20", "2001:db8::/64"], {
						namespaceSelector: { matchLabels: { team: "a" } },
					}),
					pool("front", ["2001:db8:1::5-2001:db8:1::9"], {
						serviceSelector: {
							matchExpressions: [
								{ key: "tier", operator: "In", values: ["front", "edge"] },
							],
						},
					}),
					pool("balanced", ["192.0.2.0/28"], { uses: ["LoadBalancer"] }),
					pool("of-the-cluster", ["10.0.0.0/24", "10.96.0.0/24"]),
				],
				["10.0.0.1-10.0.0.3", "10.96.0.0/16"],
			),
		);
	});

	test.each<[string, Wish]>([
		["no external IP", {}],
		["an address granted to everybody", { externalIPs: ["198.51.100.3"] }],
		[
			"an address granted to everybody, in another namespace",
			{ externalIPs: ["198.51.100.3"], namespace: "plain" },
		],
		["the first address of a range", { externalIPs: ["203.0.113.10"] }],
		["the last address of a range", { externalIPs: ["203.0.113.20"] }],
		["an IPv6 address in another spelling", { externalIPs: ["2001:DB8:0::7"] }],
		[
			"addresses of two pools and both families",
			{ externalIPs: ["198.51.100.3", "2001:db8::7"] },
		],
		[
			"an address granted to Services with its label",
			{ externalIPs: ["2001:db8:1::9"], labels: { tier: "edge" } },
		],
		["an address of a pool beside a node's", { externalIPs: ["10.0.0.4"] }],
	])("a Service with %s is accepted", async (_what, wish) => {
		expect(await create(wish)).toBe("accepted");
	});

	test.each<[string, Wish, string]>([
		[
			"an address that other people's traffic goes to (CVE-2020-8554)",
			{ externalIPs: ["8.8.8.8"] },
			"spec.externalIPs: 8.8.8.8: no AddressPool with uses ExternalIP grants it to namespace shop (granted: everybody, of-the-cluster, team-a)",
		],
		[
			"the address before a range",
			{ externalIPs: ["203.0.113.9"] },
			"203.0.113.9: no AddressPool",
		],
		[
			"the address after a range",
			{ externalIPs: ["203.0.113.21"] },
			"203.0.113.21: no AddressPool",
		],
		[
			"the IPv6 address after a range",
			{ externalIPs: ["2001:db8:1::a"], labels: { tier: "edge" } },
			"2001:db8:1::a: no AddressPool",
		],
		[
			"an address granted to another namespace",
			{ externalIPs: ["203.0.113.11"], namespace: "other" },
			"to namespace other (granted: everybody",
		],
		[
			"an address granted to other Services",
			{ externalIPs: ["2001:db8:1::9"], labels: { tier: "back" } },
			"2001:db8:1::9: no AddressPool",
		],
		[
			"an address of a pool for balancers alone",
			{ externalIPs: ["192.0.2.3"] },
			"192.0.2.3: no AddressPool",
		],
		[
			"one granted and one ungranted address",
			{ externalIPs: ["198.51.100.3", "8.8.8.8"] },
			"spec.externalIPs: 8.8.8.8: no AddressPool",
		],
		[
			"a node's address",
			{ externalIPs: ["10.0.0.2"] },
			"10.0.0.2: an address of the cluster itself",
		],
		[
			"the cluster's DNS address",
			{ externalIPs: ["10.96.0.10"] },
			"10.96.0.10: an address of the cluster itself",
		],
		[
			"an address that programs read differently",
			{ externalIPs: ["198.51.100.03"] },
			"198.51.100.03",
		],
	])(
		"a Service with %s is refused, and told why",
		async (_what, wish, says) => {
			expect(await create(wish)).toContain(says);
		},
	);

	test.each<[string, string, object, string]>([
		[
			"keeps its ungranted address while its labels change",
			"old",
			{ metadata: { labels: { a: "b" } } },
			"accepted",
		],
		[
			"keeps it while its ports change",
			"old",
			{ spec: { ports: [{ port: 81 }] } },
			"accepted",
		],
		[
			"loses its finalizer",
			"old",
			{ metadata: { finalizers: [] } },
			"accepted",
		],
		[
			"gives up one of its addresses",
			"old-two",
			{ spec: { externalIPs: ["8.8.8.8"] } },
			"accepted",
		],
		[
			"gives up all of them",
			"old",
			{ spec: { externalIPs: null } },
			"accepted",
		],
		[
			"gains a granted address beside it",
			"old",
			{ spec: { externalIPs: ["8.8.8.8", "198.51.100.3"] } },
			"accepted",
		],
		[
			"gains another ungranted address",
			"old",
			{ spec: { externalIPs: ["8.8.8.8", "9.9.9.9"] } },
			"spec.externalIPs: 9.9.9.9: no AddressPool",
		],
		[
			"swaps it for another ungranted one",
			"old",
			{ spec: { externalIPs: ["9.9.9.9"] } },
			"spec.externalIPs: 9.9.9.9: no AddressPool",
		],
	])("an old Service %s", async (_what, name, patch, says) => {
		expect(await update(name, patch)).toContain(says);
	});

	it("a Service being deleted gains no ungranted address, and its last finalizer goes", async () => {
		expect(
			await update("leaving", {
				spec: { externalIPs: ["9.9.9.9", "8.8.4.4"] },
			}),
		).toContain("8.8.4.4: no AddressPool");
		expect(
			await update("leaving", { metadata: { finalizers: [] } }, false),
		).toBe("accepted");
		expect((await call("GET", `${servicesOf()}/leaving`)).code).toBe(404);
	});

	it("a namespace where nothing is granted is told that", async () => {
		await policy(
			compiled([
				pool("team-a", ["203.0.113.0/24"], {
					namespaceSelector: { matchLabels: { team: "a" } },
				}),
			]),
		);
		expect(
			await create({ externalIPs: ["203.0.113.1"], namespace: "plain" }),
		).toContain("(none grants it anything)");
	});
});

describe("the verdict in CEL and that of the model", () => {
	const address = fc.oneof(
		fc.integer({ min: 0, max: 24 }).map((last) => `192.0.2.${last}`),
		fc
			.integer({ min: 0, max: 24 })
			.map((last) => `2001:db8::${last.toString(16)}`),
	);
	const entry = fc
		.tuple(
			fc.boolean(),
			fc.integer({ min: 0, max: 20 }),
			fc.integer({ min: 0, max: 16 }),
		)
		.map(([six, first, size]) =>
			six
				? `2001:db8::${first.toString(16)}-2001:db8::${(first + size).toString(16)}`
				: `192.0.2.${first}-192.0.2.${first + size}`,
		);
	const key = fc.constantFrom("team", "tier", "toString", "example.com/x");
	const value = fc.constantFrom("a", "b", "");
	// With what the CRD of pools refuses: were it to be in a policy all the same, both must still agree.
	const selector: fc.Arbitrary<LabelSelector | undefined> = fc.option(
		fc.record(
			{
				matchLabels: fc.dictionary(key, value, { maxKeys: 2 }),
				matchExpressions: fc.array(
					fc.record(
						{
							key,
							operator: fc.constantFrom(
								"In",
								"NotIn",
								"Exists",
								"DoesNotExist",
							),
							values: fc.array(value, { maxLength: 2 }),
						},
						{ requiredKeys: ["key", "operator"] },
					),
					{ maxLength: 2 },
				),
			},
			{ requiredKeys: [] },
		) as fc.Arbitrary<LabelSelector>,
		{ nil: undefined, freq: 2 },
	);
	const cidrs = (list: string[]) =>
		compiled([pool("x", list)]).grants[0]?.cidrs ?? [];
	const spec: fc.Arbitrary<PolicySpec> = fc.record({
		grants: fc.array(
			fc
				.tuple(
					fc.array(entry, { minLength: 1, maxLength: 3 }),
					selector,
					selector,
				)
				.map(([list, namespaceSelector, serviceSelector]) => ({
					pool: "p",
					cidrs: cidrs(list),
					...(namespaceSelector ? { namespaceSelector } : {}),
					...(serviceSelector ? { serviceSelector } : {}),
				})),
			{ maxLength: 3 },
		),
		denied: fc
			.array(entry, { maxLength: 1 })
			.map((list) => (list.length > 0 ? cidrs(list) : [])),
	});
	const labels = fc.dictionary(key, value, { maxKeys: 3 });

	it("are the same for hundreds of random policies, labels and addresses", async () => {
		const seen = { granted: 0, refused: 0 };
		let namespaces = 0;
		await fc.assert(
			fc.asyncProperty(
				spec,
				labels,
				fc.array(fc.tuple(labels, address), { minLength: 12, maxLength: 12 }),
				async (random, namespaceLabels, cases) => {
					await policy(random);
					const namespace = `random-${++namespaces}`;
					await must("POST", "/api/v1/namespaces", {
						apiVersion: "v1",
						kind: "Namespace",
						metadata: { name: namespace, labels: namespaceLabels },
					});
					const grants = readGrants(random);
					const all = {
						...namespaceLabels,
						"kubernetes.io/metadata.name": namespace,
					};
					const verdicts = await Promise.all(
						cases.map(([serviceLabels, ip]) =>
							create({ namespace, externalIPs: [ip], labels: serviceLabels }),
						),
					);
					for (const [index, [serviceLabels, ip]] of cases.entries()) {
						const granted = isGranted(grants, all, serviceLabels, ip);
						expect([ip, serviceLabels, verdicts[index]]).toEqual([
							ip,
							serviceLabels,
							granted
								? "accepted"
								: (expect.stringMatching(
										/no AddressPool|address of the cluster/,
									) as string),
						]);
						seen[granted ? "granted" : "refused"]++;
					}
				},
			),
			{ numRuns: 40 },
		);
		expect(seen.granted).toBeGreaterThan(20);
		expect(seen.refused).toBeGreaterThan(20);
	});
});

describe("at the bounds of the policy", () => {
	/** IPv6 texts are the longest, and so the dearest for CEL. */
	const full = (count: number): PolicySpec => ({
		grants: Array.from({ length: Math.ceil(count / 64) }, (_, grant) => ({
			pool: `p${grant}`,
			cidrs: Array.from(
				{ length: Math.min(64, count - grant * 64) },
				(__, index) =>
					`2001:db8:ffff:ffff:ffff:${(grant + 16).toString(16)}:ff${(index + 16).toString(16)}:ff00/120`,
			),
			namespaceSelector: {
				matchExpressions: [
					{ key: "team", operator: "In" as const, values: ["a"] },
				],
			},
		})),
		denied: [],
	});
	const strangers = (count: number) =>
		Array.from(
			{ length: count },
			(_, index) =>
				`2001:db9:ffff:ffff:ffff:ffff:ffff:${(index + 4096).toString(16)}`,
		);

	it("sixteen new addresses are judged against 4,095 CIDRs", async () => {
		await policy(full(4095));
		const said = await create({ externalIPs: strangers(16) });
		expect(said).toContain("no AddressPool with uses ExternalIP grants it");
	});

	it("many more are refused since judging them would cost too much, never let through", async () => {
		expect(await create({ externalIPs: strangers(64) })).toContain(
			"actual cost limit exceeded",
		);
	});

	it("a policy of more CIDRs is refused", async () => {
		const { code, body } = await call(
			"PATCH",
			`${policies}/compiled`,
			{ spec: full(4097) },
			"application/merge-patch+json",
		);
		expect(code).toBe(422);
		expect(body.message).toContain("at most 4096 CIDRs in all");
	});

	it("a policy under another name is refused, for nobody would read it", async () => {
		const { code, body } = await call("POST", policies, {
			apiVersion: "fairlead.dev/v1alpha1",
			kind: "ExternalIPPolicy",
			metadata: { name: "mine" },
			spec: { grants: [], denied: [] },
		});
		expect(code).toBe(422);
		expect(body.message).toContain("metadata.name must be compiled");
	});
});
