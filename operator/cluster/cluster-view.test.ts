import type { KubeObject } from "../api/meta.ts";
import { type ErrorCode, FairleadError } from "../errors.ts";
import { readCluster } from "./cluster-view.ts";
import type { KubeClient, ListOptions, Resource } from "./kube.ts";

const now = Date.parse("2026-01-01T00:01:00Z");
const clock = { now: () => now };
const named = (name: string): KubeObject => ({
	metadata: { namespace: "shop", name },
});

/** Lists in pages of at most two, and refuses what it is told to. */
function client(
	objects: Record<string, KubeObject[]>,
	refused: Record<string, ErrorCode> = {},
	lease?: object,
) {
	const asked: string[] = [];
	const list = async ({ plural }: Resource, options: ListOptions = {}) => {
		asked.push(`${plural} ${options.labelSelector ?? ""} ${options.limit}`);
		const code = refused[plural];
		if (code) throw new FairleadError(code, `${plural}: refused`);
		const from = Number(options.continue ?? 0);
		const all = objects[plural] ?? [];
		return {
			metadata: {
				resourceVersion: "1",
				...(from + 2 < all.length ? { continue: String(from + 2) } : {}),
			},
			items: all.slice(from, from + 2),
		};
	};
	const get = async () => {
		const code = refused["leases"];
		if (code) throw new FairleadError(code, "leases: refused");
		if (!lease) throw new FairleadError("KubeNotFound", "no lease");
		return { metadata: { name: "l" }, spec: lease };
	};
	return {
		asked,
		kube: { list, get } as unknown as Pick<KubeClient, "list" | "get">,
	};
}
const read = (
	{ kube }: ReturnType<typeof client>,
	about?: { namespace: string; name: string },
) =>
	readCluster(kube, {
		clock,
		namespace: "fairlead-system",
		...(about ? { about } : {}),
	});

describe("one look at a cluster", () => {
	it("reads every page of every list, in pages", async () => {
		const services = ["a", "b", "c", "d", "e"].map(named);
		const from = client({ services });
		const found = await read(from);
		expect(found.services.map(({ metadata }) => metadata.name)).toEqual([
			"a",
			"b",
			"c",
			"d",
			"e",
		]);
		expect(from.asked.filter((each) => each.startsWith("services"))).toEqual(
			Array(3).fill("services  500"),
		);
		expect(found.at).toBe(now);
	});

	it("reads the EndpointSlices of the one Service it is about", async () => {
		const from = client({});
		await read(from, { namespace: "shop", name: "web" });
		expect(from.asked).toContain(
			"endpointslices kubernetes.io/service-name=web 500",
		);
	});

	it("goes on without what may not be read or is not installed, and names it", async () => {
		const { unread, controller } = await read(
			client(
				{},
				{
					addresspools: "KubeNotFound",
					nodes: "KubeForbidden",
					leases: "KubeForbidden",
				},
			),
		);
		expect(
			unread.map(({ resource, why }) => `${resource} ${why}`).sort(),
		).toEqual([
			"addresspools.fairlead.dev Missing",
			"leases.coordination.k8s.io Forbidden",
			"nodes Forbidden",
		]);
		expect(controller).toEqual({ state: "Unknown" });
	});

	it.each<[string, Record<string, ErrorCode>, ErrorCode]>([
		[
			"Services may not be read",
			{ services: "KubeForbidden" },
			"KubeForbidden",
		],
		[
			"the server fails at anything",
			{ nodes: "KubeServerError" },
			"KubeServerError",
		],
		[
			"the server cannot be reached",
			{ namespaces: "KubeUnreachable" },
			"KubeUnreachable",
		],
	])("fails where %s", async (_row, refused, code) => {
		await expect(read(client({}, refused))).rejects.toMatchObject({ code });
	});

	it.each<[string, object | undefined, string]>([
		["no Lease is no controller", undefined, "Absent"],
		[
			"a Lease that was given up is no controller",
			{
				holderIdentity: "",
				renewTime: "2026-01-01T00:00:59Z",
				leaseDurationSeconds: 15,
			},
			"Absent",
		],
		[
			"a Lease renewed in time is one",
			{
				holderIdentity: "c",
				renewTime: "2026-01-01T00:00:50Z",
				leaseDurationSeconds: 15,
			},
			"Running",
		],
		[
			"a Lease not renewed in time is one that fell silent",
			{
				holderIdentity: "c",
				renewTime: "2026-01-01T00:00:44Z",
				leaseDurationSeconds: 15,
			},
			"Expired",
		],
	])("%s", async (_row, lease, state) => {
		const { controller } = await read(client({}, {}, lease));
		expect(controller.state).toBe(state);
	});
});
