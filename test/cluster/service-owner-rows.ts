import {
	annotations,
	conditions,
	finalizers,
} from "../../operator/api/names.ts";
import { resources } from "../../operator/cluster/kube.ts";
import { assignmentOf } from "../../operator/model/assignment.ts";
import { eventually } from "../support/eventually.ts";
import { cloud, type Desk, ips, lab, type Row, said } from "./service-desk.ts";

/** Rows about whose a Service is, and about others who write on it. */

const refused = async (call: Promise<unknown>): Promise<string> =>
	call.then(
		() => "taken",
		(error: { code: string }) => error.code,
	);

const nameRows: Row[] = [
	[
		"a loadBalancerClass stays while the type does: the API server takes no other, and none where there was none",
		async (desk, name) => {
			await desk.create(name);
			await desk.create(`${name}-none`, { loadBalancerClass: null });
			expect(await refused(desk.spec(name, { loadBalancerClass: cloud }))).toBe(
				"KubeInvalid",
			);
			expect(
				await refused(desk.spec(`${name}-none`, { loadBalancerClass: lab })),
			).toBe("KubeInvalid");
		},
	],
	[
		"a Service of another controller's class stays as it is, to the byte",
		async (desk, name) => {
			const made = await desk.create(name, {
				loadBalancerClass: "example.com/lb",
			});
			await desk.create(`${name}-later`);
			await desk.served(`${name}-later`);
			expect(await desk.get(name)).toEqual(made);
		},
	],
	[
		"a class that does not exist is said, and the Service is served as soon as it does",
		async (desk, name) => {
			await desk.create(name, { loadBalancerClass: `fairlead.dev/${name}` });
			await desk.says(name, "False/UnknownClass");
			await desk.balancerClass(name, { provider: "Static" });
			await desk.served(name);
		},
	],
	[
		"with two default classes a new Service without class is told so, both classes are, who is served stays so, and all is well when one yields",
		async (desk, name) => {
			await desk.create(`${name}-old`, { loadBalancerClass: null });
			const before = await desk.served(`${name}-old`);
			await desk.balancerClass(name, { provider: "Static", default: true });
			await desk.ready(name, "False/AmbiguousDefaultClass");
			await desk.ready("cloud", "False/AmbiguousDefaultClass");
			await desk.create(name, { loadBalancerClass: null });
			await desk.says(name, "False/AmbiguousDefaultClass");
			expect(ips(await desk.get(`${name}-old`))).toEqual(before);
			await desk.removeClass(name);
			await desk.served(name);
			await desk.ready("cloud", "True/Ready");
		},
	],
	[
		"a Service deleted and made again under its name is another: it is served anew, and nothing of the first is left",
		async (desk, name) => {
			await desk.create(name, { loadBalancerClass: cloud });
			await desk.served(name);
			await desk.remove(name);
			const { metadata } = await desk.create(name, {
				loadBalancerClass: cloud,
			});
			await desk.served(name);
			await desk.cloud(name, (list) =>
				expect(
					list.map(({ labels }) => labels["fairlead.dev/service-uid"]),
				).toEqual([metadata.uid]),
			);
		},
	],
	[
		"a Service deleted and made again while nobody watched is another as well",
		async (desk, name) => {
			const first = await desk.create(name);
			await desk.served(name);
			await desk.unseen(async () => {
				await desk.client.delete(resources.services, {
					namespace: "default",
					name,
				});
				await desk.create(name);
			});
			await desk.served(name);
			expect((await desk.get(name)).metadata.uid).not.toBe(first.metadata.uid);
		},
	],
];

/** What another controller that takes class-less Services leaves on one it serves. */
const theirs = {
	finalizers: [finalizers.classless],
	annotations: { "metallb.io/ip-allocated-from-pool": "theirs" },
};
const ingress = (ip: string) => ({
	status: { loadBalancer: { ingress: [{ ip }] } },
});

async function claimed(desk: Desk, name: string): Promise<void> {
	await desk.create(name, { loadBalancerClass: null }, theirs);
	await desk.says(name, "False/ClaimedByAnother");
	await desk.patch(name, ingress("198.51.100.9"), "status");
}

const claimRows: Row[] = [
	[
		"a Service without class that another controller serves is left to it and told so, and is let go without us",
		async (desk, name) => {
			await claimed(desk, name);
			const found = await desk.until(name, ({ status }) =>
				expect(
					status?.conditions?.find(
						({ type }) => type === conditions.addressAssigned,
					)?.message,
				).toMatch(/^MetalLB serves this Service already .*198\.51\.100\.9/),
			);
			expect(ips(found)).toEqual(["198.51.100.9"]);
			expect(found.metadata.annotations).toEqual(theirs.annotations);
			await desk.cloud(name, (list) => expect(list).toEqual([]));
			await desk.client.delete(resources.services, {
				namespace: "default",
				name,
			});
			await desk.patch(name, { metadata: { finalizers: null } });
			await desk.gone(name);
		},
	],
	[
		"a Service that another controller has taken while nobody of ours looked is left to it",
		async (desk, name) => {
			await desk.unseen(async () => {
				await desk.create(name, { loadBalancerClass: null });
				await desk.patch(name, ingress("198.51.100.10"), "status");
			});
			await desk.says(name, "False/ClaimedByAnother");
			expect(ips(await desk.get(name))).toEqual(["198.51.100.10"]);
		},
	],
	[
		"a Service is served as soon as the other controller has let go of it",
		async (desk, name) => {
			await claimed(desk, name);
			await desk.patch(name, { status: { loadBalancer: null } }, "status");
			await desk.patch(name, { metadata: { finalizers: null } });
			expect(await desk.served(name)).not.toContain("198.51.100.9");
		},
	],
	[
		"a Service is served as soon as its user says that it is to be handed over, and not by a word that means nothing",
		async (desk, name) => {
			await claimed(desk, name);
			await desk.patch(name, {
				metadata: { annotations: { [annotations.adopt]: "yes" } },
			});
			const left = await desk.until(name, ({ status }) =>
				expect(
					status?.conditions?.find(
						({ type }) => type === conditions.addressAssigned,
					)?.message,
				).toMatch(/annotation fairlead\.dev\/adopt says "yes"/),
			);
			expect(said(left, conditions.addressAssigned)).toBe(
				"False/ClaimedByAnother",
			);
			expect(ips(left)).toEqual(["198.51.100.9"]);
			await desk.patch(name, {
				metadata: { annotations: { [annotations.adopt]: "no" } },
			});
			await desk.until(name, (found) => {
				expect(ips(found)).not.toContain("198.51.100.9");
				expect(said(found, conditions.provisioned)).toBe("True/Provisioned");
			});
		},
	],
];

/** Undoes what Fairlead writes on a Service as soon as it is there, until it is told that this is a quarrel. */
async function quarrel(
	desk: Desk,
	name: string,
	undo: object,
	subresource?: "status",
): Promise<number> {
	for (let times = 0; ; times++) {
		const found = await desk.until(name, (service) => {
			const contested =
				said(service, conditions.provisioned) === "True/Contested";
			const whole =
				assignmentOf(service) !== undefined && ips(service)[0] !== "1.1.1.1";
			expect(contested || whole).toBe(true);
		});
		if (said(found, conditions.provisioned) === "True/Contested") return times;
		await desk.patch(name, undo, subresource);
	}
}

const stripped = { metadata: { annotations: null, finalizers: null } };
const quarrels: [string, string, string, object, "status" | undefined][] = [
	[
		"annotations of a Static Service",
		lab,
		annotations.assigned,
		stripped,
		undefined,
	],
	[
		"annotations and finalizer of a cloud's Service",
		cloud,
		finalizers.classed,
		stripped,
		undefined,
	],
	[
		"the ingress of a Static Service",
		lab,
		"status.loadBalancer.ingress",
		ingress("1.1.1.1"),
		"status",
	],
];

const othersRows: Row[] = [
	[
		"status that somebody wipes is written again, without a new address",
		async (desk, name) => {
			for (const loadBalancerClass of [lab, cloud]) {
				const of = `${name}-${loadBalancerClass.slice(-3)}`;
				await desk.create(of, { loadBalancerClass });
				const before = await desk.served(of);
				await desk.patch(
					of,
					{ status: { loadBalancer: null, conditions: null } },
					"status",
				);
				expect(await desk.served(of)).toEqual(before);
			}
		},
	],
	[
		"an ingress that somebody writes over ours is put right, and other people's conditions stay",
		async (desk, name) => {
			const theirs = {
				type: "example.com/Probed",
				status: "True",
				reason: "Yes",
				message: "",
				lastTransitionTime: "2026-01-01T00:00:00Z",
			};
			await desk.create(name);
			const before = await desk.served(name);
			const { status } = await desk.get(name);
			await desk.patch(
				name,
				{
					status: {
						...ingress("198.51.100.66").status,
						conditions: [...(status?.conditions ?? []), theirs],
					},
				},
				"status",
			);
			await desk.until(name, (found) => {
				expect(ips(found)).toEqual(before);
				expect(said(found, theirs.type)).toBe("True/Yes");
			});
		},
	],
	...quarrels.map(
		([what, loadBalancerClass, named, undo, subresource]): Row => [
			`${what} that somebody keeps undoing are put back a few times, then ever more rarely, and the Service is told`,
			async (desk, name) => {
				await desk.create(name, { loadBalancerClass });
				const before = await desk.served(name);
				const times = await quarrel(desk, name, undo, subresource);
				expect(times).toBeLessThanOrEqual(6);
				const found = await desk.until(name, (service) => {
					expect(ips(service)).toEqual(before);
					expect(assignmentOf(service)?.addresses).toEqual(before);
				});
				const { message } =
					found.status?.conditions?.find(
						({ type }) => type === conditions.provisioned,
					) ?? {};
				expect(message).toContain(named);
			},
		],
	),
];

const secret = (name: string, token: string) => ({
	metadata: { namespace: "kube-system", name },
	stringData: { token },
});

const classRows: Row[] = [
	[
		"a class says that its token is missing, then that it is refused, and is ready with one that is good",
		async (desk, name) => {
			const { spec } = await desk.cloudClass();
			await desk.balancerClass(name, {
				provider: "HetznerCloud",
				hetznerCloud: {
					...spec.hetznerCloud,
					tokenSecretRef: { namespace: "kube-system", name },
				},
			});
			expect(await desk.ready(name, "False/CloudTokenMissing")).toContain(
				`Secret kube-system/${name}`,
			);
			await desk.client.create(resources.secrets, secret(name, "wrong"));
			await desk.create(name, { loadBalancerClass: `fairlead.dev/${name}` });
			await desk.ready(name, "False/CloudUnauthorized");
		},
	],
	[
		"a class in use that is deleted waits for its Services and names one, takes no new one, and may come back",
		async (desk, name) => {
			const loadBalancerClass = `fairlead.dev/${name}`;
			await desk.balancerClass(name, { provider: "Static" });
			await desk.ready(name, "True/Ready");
			await desk.create(name, { loadBalancerClass });
			await desk.served(name);
			await desk.removeClass(name);
			expect(await desk.ready(name, "False/ClassDeleting")).toContain(
				`Service default/${name} holds`,
			);
			await desk.create(`${name}-late`, { loadBalancerClass });
			await desk.says(`${name}-late`, "False/ClassDeleting");
			await desk.remove(name);
			await desk.says(`${name}-late`, "False/UnknownClass");
			await desk.balancerClass(name, { provider: "Static" });
			await desk.served(`${name}-late`);
		},
	],
	[
		"the provider of a class stays what it is: the API server takes no other",
		async (desk, name) => {
			await desk.balancerClass(name, { provider: "Static" });
			const edit = desk.client.patch(
				resources.balancerClasses,
				{ name },
				{ type: "merge", body: { spec: { provider: "Layer2" } } },
			);
			expect(await refused(edit)).toBe("KubeInvalid");
		},
	],
	[
		"a class taken away by force and made again with another provider leaks nothing: what the cloud holds is said, and deleted once the class is as it was",
		async (desk, name) => {
			const loadBalancerClass = `fairlead.dev/${name}`;
			const { spec } = await desk.cloudClass();
			const was = { ...spec, default: false };
			await desk.balancerClass(name, was);
			await desk.create(name, { loadBalancerClass });
			await desk.served(name);
			const force = async () => {
				await desk.removeClass(name);
				await desk.client.patch(
					resources.balancerClasses,
					{ name },
					{ type: "merge", body: { metadata: { finalizers: null } } },
				);
				await eventually(
					() => refused(desk.client.get(resources.balancerClasses, { name })),
					(code) => expect(code).toBe("KubeNotFound"),
				);
			};
			await desk.unseen(async () => {
				await force();
				await desk.balancerClass(name, { provider: "Static" });
			});
			await desk.says(name, "False/ClassInvalid", conditions.provisioned);
			await desk.cloud(name, (list) => expect(list).toHaveLength(1));
			await desk.unseen(async () => {
				await desk.removeClass(name);
				await desk.balancerClass(name, was);
			});
			await desk.served(name);
			await desk.remove(name);
			await desk.cloud(name, (list) => expect(list).toEqual([]));
		},
	],
];

export const ownerRows: Row[] = [
	...nameRows,
	...claimRows,
	...othersRows,
	...classRows,
];
