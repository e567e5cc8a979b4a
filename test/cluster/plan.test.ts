import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jest } from "@jest/globals";
import fc from "fast-check";
import type { Service } from "../../operator/api/core.ts";
import type {
	AddressPool,
	BalancerClass,
} from "../../operator/api/fairlead.ts";
import { annotations } from "../../operator/api/names.ts";
import { resources } from "../../operator/cluster/kube.ts";
import { assignmentOf } from "../../operator/model/assignment.ts";
import type { Plan } from "../../operator/model/plan/plan.ts";
import { eventually } from "../support/eventually.ts";
import { Fairlead } from "../support/fairlead.ts";
import { ExplainWorld, namespace } from "./explain-world.ts";

jest.setTimeout(240_000);

/** A pool of its own that tells how far the controller has got: watches deliver pools in order. */
const canary = "zz-canary";
const apiVersion = "fairlead.dev/v1alpha1";

let world: ExplainWorld;
let folder: string;
beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "fairlead-plan-"));
	world = await ExplainWorld.start();
	await world.installKinds();
	await world.lead();
});
afterAll(async () => {
	await world.stop();
	await rm(folder, { recursive: true });
});

interface Doc {
	name: string;
	/** null: the pool is deleted. */
	spec: AddressPool["spec"] | null;
}

const names = ["a", "b", "c"] as const;
const blocks = [
	"192.0.2.0/31",
	"192.0.2.2/31",
	"192.0.2.1-192.0.2.4",
	"198.51.100.0/30",
	"2001:db8::/126",
];
const poolSpec: fc.Arbitrary<AddressPool["spec"]> = fc
	.record({
		addresses: fc.uniqueArray(fc.constantFrom(...blocks), {
			minLength: 1,
			maxLength: 2,
		}),
		priority: fc.option(fc.constantFrom(1, 50, 200), { nil: undefined }),
		autoAssign: fc.option(fc.constant(false), { nil: undefined, freq: 5 }),
		classes: fc.option(fc.constantFrom(["fast"], ["gold"]), {
			nil: undefined,
			freq: 4,
		}),
		namespaceSelector: fc.option(
			fc.constantFrom(
				{ matchLabels: { team: "shop" } },
				{ matchLabels: { team: "ops" } },
			),
			{ nil: undefined, freq: 3 },
		),
	})
	.map((spec) => JSON.parse(JSON.stringify(spec)) as AddressPool["spec"]);
const edit: fc.Arbitrary<Doc[]> = fc.uniqueArray(
	fc.record({
		name: fc.constantFrom(...names),
		spec: fc.option(poolSpec, { nil: null, freq: 5 }),
	}),
	{ minLength: 1, maxLength: 2, selector: ({ name }) => name },
);

async function pools(): Promise<AddressPool[]> {
	return (await world.client.list<AddressPool>(resources.addressPools)).items;
}

async function services(): Promise<Service[]> {
	const { items } = await world.client.list<Service>(resources.services, {
		namespace,
	});
	return items.filter(({ metadata }) => !metadata.name.startsWith("canary"));
}

/** What every Service holds by its record: addresses and pools. */
async function records(): Promise<Record<string, string>> {
	return Object.fromEntries(
		(await services()).map((each) => {
			const assigned = assignmentOf(each);
			return [
				`${namespace}/${each.metadata.name}`,
				`${assigned?.addresses.join() ?? ""} of ${assigned?.pools?.join() ?? ""}`,
			];
		}),
	);
}

async function runPlan(
	args: string[],
	kubeconfig = world.cluster.kubeconfigPath,
): Promise<{ code: number | null; out: string; complaint: string }> {
	const command = new Fairlead(["plan", ...args], {
		KUBECONFIG: kubeconfig,
	});
	const { code } = await command.ended;
	return {
		code,
		out: command.out.join("\n"),
		complaint: command.log.map(({ msg }) => msg).join("\n"),
	};
}

async function plan(docs: Doc[], known: Set<string>): Promise<Plan> {
	const file = join(folder, "edit.yaml");
	const applied = docs.filter(({ spec }) => spec !== null);
	const deleted = docs.filter(
		({ name, spec }) => spec === null && known.has(name),
	);
	await writeFile(
		file,
		applied
			.map(({ name, spec }) =>
				JSON.stringify({
					apiVersion,
					kind: "AddressPool",
					metadata: { name },
					spec,
				}),
			)
			.join("\n---\n"),
	);
	const { out, complaint } = await runPlan([
		...(applied.length > 0 ? ["-f", file] : []),
		...deleted.flatMap(({ name }) => ["--delete", name]),
		"-o",
		"json",
	]);
	expect(complaint).toBe("");
	return JSON.parse(out) as Plan;
}

/** Applies as kubectl does: one after the other, deletions last. */
async function apply(docs: Doc[], known: Set<string>): Promise<void> {
	const ordered = [...docs].sort(
		(a, b) => Number(a.spec === null) - Number(b.spec === null),
	);
	for (const { name, spec } of ordered) {
		if (spec === null) {
			if (known.has(name))
				await world.client.delete(resources.addressPools, { name });
		} else if (known.has(name)) {
			const found = await world.client.get<AddressPool>(
				resources.addressPools,
				{
					name,
				},
			);
			await world.client.patch(
				resources.addressPools,
				{ name },
				{
					type: "json",
					body: [
						{ op: "test", path: "/metadata/uid", value: found.metadata.uid },
						{ op: "replace", path: "/spec", value: spec },
					],
				},
			);
		} else
			await world.make(resources.addressPools, { metadata: { name }, spec });
	}
}

/** Resolves when the controller has seen all that was done to pools and Services before. */
async function caughtUp(round: number): Promise<void> {
	const ip = `203.0.113.${round}`;
	await world.client.patch(
		resources.addressPools,
		{ name: canary },
		{
			type: "merge",
			body: { spec: { addresses: [`${ip}/32`] } },
		},
	);
	const name = `canary-${round}`;
	await world.make(resources.services, {
		metadata: {
			namespace,
			name,
			annotations: { [annotations.addresses]: ip },
		},
		spec: {
			type: "LoadBalancer",
			ports: [{ port: 80 }],
			allocateLoadBalancerNodePorts: false,
		},
	} as Service);
	await eventually(
		() => world.client.get<Service>(resources.services, { namespace, name }),
		(found) => expect(found.status?.loadBalancer?.ingress?.[0]?.ip).toBe(ip),
	);
}

test("what is planned is what the controller then does, edit after edit", async () => {
	await world.make(resources.balancerClasses, {
		metadata: { name: "fast" },
		spec: { provider: "Static", default: true },
	} as BalancerClass);
	await world.make(resources.addressPools, {
		metadata: { name: canary },
		spec: { addresses: ["203.0.113.0/32"], autoAssign: false, priority: 1000 },
	} as AddressPool);
	const wishes: Record<string, string>[] = [
		{},
		{},
		{},
		{ [annotations.pool]: "b" },
		{ [annotations.addresses]: "192.0.2.3" },
		{ [annotations.sharingKey]: "k" },
		{ [annotations.sharingKey]: "k" },
		{},
	];
	for (const [at, wish] of wishes.entries())
		await world.make(resources.services, {
			metadata: { namespace, name: `web-${at}`, annotations: wish },
			spec: {
				type: "LoadBalancer",
				ports: [{ port: 80 + at }],
				allocateLoadBalancerNodePorts: false,
				...(at === 7
					? {
							ipFamilyPolicy: "RequireDualStack",
							ipFamilies: ["IPv4", "IPv6"],
						}
					: {}),
			},
		} as Service);
	await caughtUp(1);
	let moved = 0;
	const edits = fc.sample(edit, { numRuns: 24, seed: 20_260_601 });
	for (const [at, docs] of edits.entries()) {
		const known = new Set((await pools()).map(({ metadata }) => metadata.name));
		if (docs.every(({ name, spec }) => spec === null && !known.has(name)))
			continue;
		const before = await records();
		const planned = await plan(docs, known);
		const expected = { ...before };
		for (const { service, after } of planned.services)
			expected[service] = `${after.addresses.join()} of ${after.pools.join()}`;
		await apply(docs, known);
		await caughtUp(at + 2);
		await eventually(records, (found) =>
			expect({ docs, found }).toEqual({ docs, found: expected }),
		);
		await eventually(pools, (found) => {
			for (const { pool, after } of planned.pools) {
				const status = found.find(
					({ metadata }) => metadata.name === pool,
				)?.status;
				if (after && pool !== canary)
					expect({ pool, ipv4: status?.ipv4, ipv6: status?.ipv6 }).toEqual({
						pool,
						...after,
					});
			}
		});
		if (JSON.stringify(before) !== JSON.stringify(expected)) moved++;
	}
	expect(moved).toBeGreaterThan(5);
});

describe("fairlead plan", () => {
	it.each<[string, string | undefined, string[], number, RegExp]>([
		[
			"names the field that is wrong",
			"apiVersion: fairlead.dev/v1alpha1\nkind: AddressPool\nmetadata: {name: x}\nspec: {addresses: [192.0.2.0/24], clases: [fast]}",
			[],
			2,
			/--file .*edit\.yaml, document 1: spec\.clases: \["fast"\]: there is no such field; remove it, or write one of addresses, uses, classes/,
		],
		[
			"names the kind it does not plan",
			"apiVersion: v1\nkind: Service\nmetadata: {name: x}",
			[],
			2,
			/document 1: kind: "Service": must be AddressPool or BalancerClass/,
		],
		[
			"names the line of what is no YAML",
			"a: [",
			[],
			2,
			/document 1: .*line 1/,
		],
		[
			"says that nothing is asked",
			undefined,
			[],
			2,
			/nothing to plan: give --file FILE or --delete NAME/,
		],
		[
			"says which pools there are when one to be deleted is not",
			undefined,
			["--delete", "gone"],
			2,
			/--delete gone: there is no AddressPool of that name; there are .*zz-canary/,
		],
	])("%s", async (_row, yaml, args, code, complaint) => {
		const file = join(folder, "edit.yaml");
		if (yaml !== undefined) await writeFile(file, yaml);
		const said = await runPlan([
			...(yaml === undefined ? [] : ["-f", file]),
			...args,
		]);
		expect(said.complaint).toMatch(complaint);
		expect(said.code).toBe(code);
	});

	/** What a plan must refuse, since `kubectl apply` would: kind, name, spec, and the words. */
	it.each<[string, string, string, string, RegExp]>([
		[
			"host bits",
			"AddressPool",
			"x",
			"addresses: [192.0.2.1/24]",
			/AddressPool x +spec\.addresses\[0\] +.*192\.0\.2\.1\/24.*must not have host bits set: write/,
		],
		[
			"a range that ends before it begins",
			"AddressPool",
			"x",
			"addresses: [192.0.2.9-192.0.2.3]",
			/must be a range whose first address is not above its last: swap the two/,
		],
		[
			"one entry twice",
			"AddressPool",
			"x",
			"addresses: [192.0.2.0/32, 192.0.2.0/32]",
			/spec\.addresses\[1\] +.*Duplicate value/,
		],
		[
			"a priority below nought",
			"AddressPool",
			"x",
			"{addresses: [192.0.2.0/32], priority: -1}",
			/spec\.priority +.*greater than or equal to 0/,
		],
		[
			"a retention nobody can read",
			"AddressPool",
			"x",
			"{addresses: [192.0.2.0/32], retention: soon}",
			/spec\.retention +.*must be a Go duration/,
		],
		[
			"a selector without values",
			"AddressPool",
			"x",
			"{addresses: [192.0.2.0/32], namespaceSelector: {matchExpressions: [{key: a, operator: In}]}}",
			/values must not be empty with operator In or NotIn/,
		],
		[
			"a name that is too long",
			"AddressPool",
			"x".repeat(64),
			"addresses: [192.0.2.0/32]",
			/metadata\.name must have at most 63 characters/,
		],
		[
			"a pool that is there, with nothing in it",
			"AddressPool",
			canary,
			"addresses: []",
			/spec\.addresses +.*at least 1 items/,
		],
		[
			"a cloud without its settings",
			"BalancerClass",
			"x",
			"provider: HetznerCloud",
			/BalancerClass x +spec +.*hetznerCloud must be given with provider HetznerCloud/,
		],
		[
			"a field of a class that does not exist",
			"BalancerClass",
			"x",
			"{provider: Static, nodeport: Keep}",
			/BalancerClass x +spec\.nodeport +.*there is no such field/,
		],
		[
			"another provider for a class that is there",
			"BalancerClass",
			"fast",
			"provider: Layer2",
			/BalancerClass fast +spec\.provider +.*provider cannot be changed/,
		],
	])(
		"refuses, as kubectl apply does, %s",
		async (_row, kind, name, spec, words) => {
			const file = join(folder, "refused.yaml");
			await writeFile(
				file,
				`apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: ${name}}\nspec: ${spec.startsWith("{") ? spec : `{${spec}}`}\n`,
			);
			const applied = await world.cluster.kubectl([
				...["apply", "--dry-run=server", "--validate=strict", "-f", file],
			]);
			expect(applied.code).toBe(1);
			const { code, out, complaint } = await runPlan(["-f", file]);
			expect(complaint).toBe("");
			expect(out).toMatch(words);
			expect(out).toMatch(/^Problems/);
			expect(code).toBe(3);
		},
	);

	it("says which documents it could not have checked, with the right that is missing", async () => {
		await world.grant();
		const file = join(folder, "edit.yaml");
		await writeFile(
			file,
			`apiVersion: ${apiVersion}\nkind: AddressPool\nmetadata: {name: new}\nspec: {addresses: [192.0.2.200/32]}`,
		);
		const { code, out } = await runPlan(
			["-f", file],
			world.cluster.kubeconfigFor({ user: "powerless" }),
		);
		expect(out).toMatch(
			/Not checked by the API server, which may refuse it\n +AddressPool new: .*cannot create resource "addresspools"/,
		);
		expect(code).toBe(0);
	});

	it("names a server that does not accept the credentials, and what to do", async () => {
		const { code, complaint } = await runPlan(
			["--delete", canary],
			world.cluster.kubeconfigFor({ token: "nobody-knows-it" }),
		);
		expect(complaint).toContain(
			`fairlead plan: ${world.cluster.server} does not accept the credentials given: `,
		);
		expect(complaint).toMatch(/Unauthorized; renew those of the kubeconfig/);
		expect(code).toBe(1);
	});

	it("says in words who is worse off, and ends with 3", async () => {
		const { code, out } = await runPlan(["--delete", canary]);
		expect(out).toMatch(/zz-canary +IPv4 1 of 1 +–/);
		expect(out).toMatch(/keeps? an address/);
		expect(code).toBe(3);
	});
});
