import { eventually } from "../support/eventually.ts";
import type { Answer, Endpoint } from "./apiserver-play.ts";
import {
	type Objects,
	snapshot,
	type Snapshot,
} from "./controllers-snapshot.ts";

type Json = Record<string, unknown>;

interface Pod {
	metadata: {
		name: string;
		creationTimestamp: string;
		deletionTimestamp?: string;
		labels?: Record<string, string>;
	};
	spec: { nodeName?: string };
	status?: { podIP?: string };
}

const paths = {
	pods: "/api/v1/namespaces/NS/pods",
	services: "/api/v1/namespaces/NS/services",
	endpoints: "/api/v1/namespaces/NS/endpoints",
	endpointSlices: "/apis/discovery.k8s.io/v1/namespaces/NS/endpointslices",
	deployments: "/apis/apps/v1/namespaces/NS/deployments",
	replicaSets: "/apis/apps/v1/namespaces/NS/replicasets",
} as const;

/** One of two clusters, as a scenario sees it: a namespace of its own, nodes, and pods that do as they are told. */
export interface World {
	/** Creates an object. */
	create(kind: keyof typeof paths, object: Json): Promise<void>;
	/** Merge patch. */
	patch(kind: keyof typeof paths, name: string, body: Json): Promise<void>;
	delete(kind: keyof typeof paths, name: string): Promise<void>;
	/** Waits for `count` pods without a node, gives each a node and an address, in turn. */
	place(count: number): Promise<void>;
	/** What a kubelet would say of the pods at these addresses (last number of each). */
	say(addresses: number[], state: PodState): Promise<void>;
	/** Merge patch of the pod at an address. */
	patchPod(address: number, body: Json): Promise<void>;
	deletePod(address: number): Promise<void>;
	/** Merge patch of all slices; undefined: they are deleted. */
	breakSlices(body: Json | undefined): Promise<void>;
	/** Waits for `count` pods on their way out, and lets them go. */
	bury(count: number): Promise<void>;
}

export type PodState = "ready" | "not ready" | "failed" | "succeeded";

export const nodes = ["node-1", "node-2", "node-3"];

/** Both clusters at once: every command goes to both, and `agree` waits until both look the same. */
export class TwoWorlds {
	readonly both: World[];
	readonly #namespace: string;
	readonly #sides: Endpoint[];

	constructor(sides: Endpoint[], namespace: string) {
		this.#sides = sides;
		this.#namespace = namespace;
		this.both = sides.map((side) => openWorld(side, namespace));
	}

	async open(): Promise<void> {
		const name = this.#namespace;
		const account = `/api/v1/namespaces/${name}/serviceaccounts/default`;
		for (const endpoint of this.#sides) {
			await send(endpoint, "POST", "/api/v1/namespaces", {
				metadata: { name },
			});
			await eventually(
				() => endpoint.call("GET", account, undefined, {}),
				({ code }) => expect(code).toBe(200),
			);
		}
	}

	/** Does the same in both. */
	async do(work: (world: World) => Promise<void>): Promise<void> {
		await Promise.all(this.both.map(work));
	}

	/** Waits until each satisfies `holds`, and both look the same; returns how they look. */
	async agree(holds: (snapshot: Snapshot) => boolean): Promise<Snapshot> {
		const [real] = await eventually(
			() => Promise.all(this.#sides.map((side) => this.#look(side))),
			(seen) => {
				const [real, ours] = seen;
				expect(ours).toEqual(real);
				expect(seen.map((each) => each && holds(each))).toEqual([true, true]);
			},
			30_000,
		);
		return real as Snapshot;
	}

	async #look(endpoint: Endpoint): Promise<Snapshot> {
		const entries = Object.entries(paths).map(async ([kind, path]) => {
			const at = path.replace("NS", this.#namespace);
			const answer = await endpoint.call("GET", at, undefined, {});
			return [kind, (answer.body as { items: Json[] }).items] as const;
		});
		return snapshot(
			Object.fromEntries(await Promise.all(entries)) as unknown as Objects,
		);
	}
}

function openWorld(endpoint: Endpoint, namespace: string): World {
	const at = (kind: keyof typeof paths, name = "", more = "") =>
		[paths[kind].replace("NS", namespace), name, more]
			.filter(Boolean)
			.join("/");
	let placed = 0;

	async function pods(): Promise<Pod[]> {
		const answer = await endpoint.call("GET", at("pods"), undefined, {});
		return (answer.body as { items: Pod[] }).items;
	}

	async function podAt(address: number): Promise<string> {
		const all = await pods();
		const found = all.find(({ status }) => status?.podIP === ip(address));
		if (!found) throw new Error(`no pod at ${ip(address)}`);
		return found.metadata.name;
	}

	const status = (name: string, body: Json) =>
		send(
			endpoint,
			"PATCH",
			at("pods", name, "status"),
			{ status: body },
			{
				"content-type": "application/strategic-merge-patch+json",
			},
		);

	return {
		async create(kind, object) {
			await send(endpoint, "POST", at(kind), object);
		},
		async patch(kind, name, body) {
			await send(endpoint, "PATCH", at(kind, name), body);
		},
		async delete(kind, name) {
			const body = { propagationPolicy: "Background" };
			await send(endpoint, "DELETE", at(kind, name), body);
		},
		async place(count) {
			const waiting = await eventually(
				async () => (await pods()).filter(({ spec }) => !spec.nodeName),
				(found) => expect(found).toHaveLength(count),
			);
			for (const { metadata } of waiting) {
				placed++;
				await send(endpoint, "POST", at("pods", metadata.name, "binding"), {
					metadata: { name: metadata.name },
					target: { kind: "Node", name: nodes[placed % nodes.length] },
				});
				await status(metadata.name, {
					phase: "Pending",
					podIP: ip(placed),
					podIPs: [{ ip: ip(placed) }, { ip: `fd00:10:244::${placed}` }],
					conditions: [readiness(false)],
				});
			}
		},
		async say(addresses, state) {
			for (const address of addresses)
				await status(await podAt(address), {
					phase:
						state === "failed"
							? "Failed"
							: state === "succeeded"
								? "Succeeded"
								: "Running",
					conditions: [readiness(state === "ready")],
				});
		},
		async patchPod(address, body) {
			await send(endpoint, "PATCH", at("pods", await podAt(address)), body);
		},
		async deletePod(address) {
			await send(endpoint, "DELETE", at("pods", await podAt(address)), {});
		},
		async breakSlices(body) {
			const answer = await endpoint.call(
				"GET",
				at("endpointSlices"),
				undefined,
				{},
			);
			for (const { metadata } of (answer.body as { items: Pod[] }).items)
				await send(
					endpoint,
					body ? "PATCH" : "DELETE",
					at("endpointSlices", metadata.name),
					body ?? {},
				);
		},
		async bury(count) {
			const leaving = await eventually(
				async () =>
					(await pods()).filter(({ metadata }) => metadata.deletionTimestamp),
				(found) => expect(found).toHaveLength(count),
			);
			for (const { metadata } of leaving)
				await send(endpoint, "DELETE", at("pods", metadata.name), {
					gracePeriodSeconds: 0,
				});
		},
	};
}

const ip = (address: number) => `10.244.0.${address}`;

function readiness(ready: boolean) {
	const lastTransitionTime = `${new Date().toISOString().slice(0, 19)}Z`;
	const status = ready ? "True" : "False";
	return { type: "Ready", status, lastTransitionTime };
}

/** One request that must succeed. */
export async function send(
	endpoint: Endpoint,
	method: string,
	path: string,
	body: object,
	headers: Record<string, string> = {
		"content-type":
			method === "PATCH" ? "application/merge-patch+json" : "application/json",
	},
): Promise<Answer> {
	const answer = await endpoint.call(
		method,
		path,
		JSON.stringify(body),
		headers,
	);
	if (answer.code > 299)
		throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
	return answer;
}
