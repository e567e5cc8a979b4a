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
): Promise<{ code: number | null; out: string; complaint: string }> {
	const command = new Fairlead(["plan", ...args], {
		KUBECONFIG: world.cluster.kubeconfigPath,
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
			/--file .*edit\.yaml, document 1: spec: Unrecognized key: "clases"/,
		],
		[
			"names the kind it does not plan",
			"apiVersion: v1\nkind: Service\nmetadata: {name: x}",
			[],
			2,
			/document 1: kind "Service": must be AddressPool or BalancerClass/,
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

	it("says in words who is worse off, and ends with 3", async () => {
		const { code, out } = await runPlan(["--delete", canary]);
		expect(out).toMatch(/zz-canary +IPv4 1 of 1 +–/);
		expect(out).toMatch(/keeps? an address/);
		expect(code).toBe(3);
	});
});
