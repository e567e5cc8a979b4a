import { jest } from "@jest/globals";
import fc from "fast-check";
import type { LabelSelector } from "../../operator/api/fairlead.ts";
import type { PolicySpec } from "../../operator/model/external-ips/compiled-policy.ts";
import {
	isGranted,
	readGrants,
} from "../../operator/model/external-ips/grants.ts";
import { AdmissionWorld, compiled, pool } from "../support/admission-world.ts";

jest.setTimeout(120_000);

const policies = "/apis/fairlead.dev/v1alpha1/externalippolicies";

let world: AdmissionWorld;
beforeAll(async () => {
	world = await AdmissionWorld.start();
	await world.namespace("shop", { team: "a" });
	await world.admit();
});
afterAll(() => world?.stop());

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
					await world.policy(random);
					const namespace = `random-${++namespaces}`;
					await world.namespace(namespace, namespaceLabels);
					const grants = readGrants(random);
					const all = {
						...namespaceLabels,
						"kubernetes.io/metadata.name": namespace,
					};
					const verdicts = await Promise.all(
						cases.map(([serviceLabels, ip]) =>
							world.create({
								namespace,
								externalIPs: [ip],
								labels: serviceLabels,
							}),
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
		await world.policy(full(4095));
		const said = await world.create({ externalIPs: strangers(16) });
		expect(said).toContain("no AddressPool with uses ExternalIP grants it");
	});

	it("many more are refused since judging them would cost too much, never let through", async () => {
		expect(await world.create({ externalIPs: strangers(64) })).toContain(
			"actual cost limit exceeded",
		);
	});

	it("a policy of more CIDRs is refused", async () => {
		const { code, body } = await world.call(
			"PATCH",
			`${policies}/compiled`,
			{ spec: full(4097) },
			"application/merge-patch+json",
		);
		expect(code).toBe(422);
		expect(body.message).toContain("at most 4096 CIDRs in all");
	});

	it("a policy under another name is refused, for nobody would read it", async () => {
		const { code, body } = await world.call("POST", policies, {
			apiVersion: "fairlead.dev/v1alpha1",
			kind: "ExternalIPPolicy",
			metadata: { name: "mine" },
			spec: { grants: [], denied: [] },
		});
		expect(code).toBe(422);
		expect(body.message).toContain("metadata.name must be compiled");
	});
});
