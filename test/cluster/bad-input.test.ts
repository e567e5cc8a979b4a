import { jest } from "@jest/globals";
import fc from "fast-check";
import type { Service } from "../../operator/api/core.ts";
import type { Condition, KubeObject } from "../../operator/api/meta.ts";
import {
	annotations,
	conditions,
	metallbAnnotations,
	oldMetallbAnnotations,
} from "../../operator/api/names.ts";
import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import {
	type KubeClient,
	type Resource,
	resources,
} from "../../operator/cluster/kube.ts";
import { loadConnection } from "../../operator/cluster/kubeconfig.ts";
import { formatIp, parseIp } from "../../operator/model/addresses/ip.ts";
import { isFairleadError } from "../../operator/errors.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { customKinds, withField } from "../support/crd-fields.ts";
import { eventually } from "../support/eventually.ts";
import { Fairlead } from "../support/fairlead.ts";
import { anyText, anyValue } from "../support/nasty-values.ts";
import { quietLog } from "../support/quiet-log.ts";

jest.setTimeout(120_000);

let cluster: Cluster;
let admin: KubeClient;
let controller: Fairlead;
let number = 0;

const kinds = customKinds();
const bases: Record<string, object> = {
	AddressPool: { addresses: ["198.18.0.0/24"] },
	AddressReservation: { pool: "lab", addresses: ["192.0.2.200"] },
	BalancerClass: {
		provider: "HetznerCloud",
		hetznerCloud: {
			endpoint: "http://127.0.0.1:9/v1",
			tokenSecretRef: { namespace: "default", name: "none" },
			location: "fsn1",
		},
	},
	ExternalIPPolicy: { grants: [], denied: [] },
	NodePortPool: { range: "30100-30109" },
};
const resourceOf = ({ plural, kind, namespaced }: (typeof kinds)[number]) =>
	({
		group: "fairlead.dev",
		version: "v1alpha1",
		plural,
		kind,
		namespaced,
	}) satisfies Resource;

beforeAll(async () => {
	cluster = await startCluster();
	const files = await cluster.kubectl([
		...["apply", "-f", new URL("../../crds", import.meta.url).pathname],
	]);
	expect(files).toMatchObject({ code: 0 });
	await cluster.kubectl([
		"wait",
		"--for=condition=Established",
		"crd",
		"--all",
	]);
	admin = createKubeClient(
		await loadConnection({
			path: cluster.kubeconfigPath,
			clock: systemClock,
			log: quietLog(),
		}),
		{ clock: systemClock, log: quietLog(), userAgent: "test" },
	);
	const apiVersion = "fairlead.dev/v1alpha1";
	await admin.create(resources.balancerClasses, {
		apiVersion,
		kind: "BalancerClass",
		metadata: { name: "lab" },
		spec: { provider: "Static" },
	} as KubeObject);
	await admin.create(resources.addressPools, {
		apiVersion,
		kind: "AddressPool",
		metadata: { name: "lab" },
		spec: {
			addresses: ["192.0.2.0/24"],
			uses: ["LoadBalancer", "ExternalIP"],
			priority: 1,
		},
	} as KubeObject);
	controller = new Fairlead([
		...["controller", "--kubeconfig", cluster.kubeconfigPath],
		...["--metrics-port", "0", "--no-leader-elect"],
	]);
	await controller.logged(({ msg }) => msg.startsWith("leads"));
});
afterAll(async () => {
	if (controller?.child.exitCode === null) await controller.kill("SIGKILL");
	admin?.close();
	await cluster?.stop();
});

const service = (name: string, more: Record<string, string> = {}): Service => ({
	apiVersion: "v1",
	kind: "Service",
	metadata: { namespace: "default", name, annotations: more },
	spec: {
		type: "LoadBalancer",
		loadBalancerClass: "fairlead.dev/lab",
		ports: [{ name: "http", port: 80 }],
	} as Service["spec"],
});

/** The controller lives, has met nothing it has no name for, and serves who asks properly. */
async function serves(): Promise<void> {
	const name = `bystander-${number++}`;
	await admin.create(
		resources.services,
		service(name, { [annotations.pool]: "lab" }),
	);
	await eventually(
		() =>
			admin.get<Service>(resources.services, { namespace: "default", name }),
		(found) =>
			expect(found.status?.loadBalancer?.ingress?.[0]?.ip).toMatch(
				/^192\.0\.2\./,
			),
	);
	await admin.delete(resources.services, { namespace: "default", name });
	expect(controller.child.exitCode).toBeNull();
	expect(
		controller.log.filter(({ level }) => level === "error" || level === "none"),
	).toEqual([]);
}

const withReasons = (found: readonly Condition[] | undefined) => {
	expect(found?.length ?? 0).toBeGreaterThan(0);
	for (const { reason, message, status } of found ?? []) {
		expect(reason).toMatch(/^[A-Z][A-Za-z]+$/);
		if (status !== "True") expect(message).not.toBe("");
		// Nobody reads more, and 32,768 bytes is all a condition takes.
		expect(message?.length).toBeLessThanOrEqual(4_096);
	}
};

describe("a field of a custom resource that holds anything at all", () => {
	it.each(kinds)(
		"of $kind: is refused by the API server in words, or the object says in a condition what is the matter",
		async (kind) => {
			const resource = resourceOf(kind);
			const base = bases[kind.kind];
			expect(base).toBeDefined();
			let refused = 0;
			await fc.assert(
				fc.asyncProperty(
					fc.array(fc.tuple(fc.constantFrom(...kind.fields), anyValue), {
						minLength: 12,
						maxLength: 12,
					}),
					async (batch) => {
						const accepted: KubeObject[] = [];
						for (const [field, value] of batch) {
							const name =
								kind.kind === "ExternalIPPolicy"
									? "compiled"
									: `fuzz-${number++}`;
							const object = withField(
								{
									apiVersion: "fairlead.dev/v1alpha1",
									kind: kind.kind,
									metadata: {
										name,
										...(kind.namespaced ? { namespace: "default" } : {}),
									},
									spec: base,
								},
								field,
								value,
							) as KubeObject;
							try {
								accepted.push(
									kind.kind === "ExternalIPPolicy"
										? await admin.patch(
												resource,
												{ name },
												{ type: "merge", body: object },
											)
										: await admin.create(resource, object),
								);
							} catch (error) {
								if (!isFairleadError(error, "KubeInvalid")) throw error;
								expect(error.message).toMatch(/spec/);
								refused++;
							}
						}
						for (const { metadata } of accepted) {
							const { name, namespace } = metadata;
							const ref = { name, ...(namespace ? { namespace } : {}) };
							if (!kind.hasConditions) continue;
							await eventually(
								() =>
									admin.get<
										KubeObject & { status?: { conditions?: Condition[] } }
									>(resource, ref),
								(found) => withReasons(found.status?.conditions),
							);
						}
						await serves();
						if (kind.kind !== "ExternalIPPolicy")
							for (const { metadata } of accepted)
								await admin.delete(resource, {
									name: metadata.name,
									...(metadata.namespace
										? { namespace: metadata.namespace }
										: {}),
								});
					},
				),
				{ numRuns: 3, endOnFailure: true },
			);
			expect(refused).toBeGreaterThan(0);
		},
	);
});

/** Whether a message says which annotation it is about, or shows what that holds. */
function names(message: string, annotation: string, value: string): boolean {
	const shown = value.trim().slice(0, 40);
	const address = parseIp(value.trim());
	return [
		annotation,
		shown,
		JSON.stringify(shown).slice(1, -1),
		...(address.ok ? [formatIp(address.value)] : []),
	].some((each) => message.includes(each));
}

describe("an annotation that holds anything at all", () => {
	const relevant: Record<string, string> = {
		[annotations.nodePorts]: conditions.nodePorts,
		[annotations.externalIPs]: conditions.externalIPs,
	};
	const keys = [
		...Object.values(annotations),
		...Object.values(metallbAnnotations),
		...Object.values(oldMetallbAnnotations),
	];
	it.each(keys)(
		"%s: is followed, or a condition names it and says why not",
		async (name) => {
			await fc.assert(
				fc.asyncProperty(
					fc.array(anyText, { minLength: 12, maxLength: 12 }),
					async (values) => {
						const made: { name: string; value: string }[] = [];
						for (const value of values) {
							const one = `odd-${number++}`;
							await admin.create(
								resources.services,
								service(one, { [name]: value }),
							);
							made.push({ name: one, value });
						}
						for (const { name: one, value } of made)
							await eventually(
								() =>
									admin.get<Service>(resources.services, {
										namespace: "default",
										name: one,
									}),
								(found) => {
									withReasons(found.status?.conditions);
									const type = relevant[name] ?? conditions.addressAssigned;
									if (value.trim() === "") return;
									const condition = found.status?.conditions?.find(
										(each) => each.type === type,
									);
									if (!condition)
										throw new Error(
											`${name}=${JSON.stringify(value)}: no ${type}`,
										);
									if (condition.status !== "True")
										expect([
											names(condition.message ?? "", name, value),
											condition.message,
										]).toEqual([true, condition.message]);
								},
							);
						await serves();
						for (const { name: one } of made)
							await admin.delete(resources.services, {
								namespace: "default",
								name: one,
							});
					},
				),
				{ numRuns: 1, endOnFailure: true },
			);
		},
	);
});
