import { jest } from "@jest/globals";
import type { Service } from "../../operator/api/core.ts";
import type {
	AddressPool,
	BalancerClass,
} from "../../operator/api/fairlead.ts";
import { annotations, conditions } from "../../operator/api/names.ts";
import { resources } from "../../operator/cluster/kube.ts";
import { ExplainWorld, namespace } from "./explain-world.ts";

jest.setTimeout(60_000);

let world: ExplainWorld;
beforeAll(async () => {
	world = await ExplainWorld.start();
});
afterAll(() => world.stop());

/** What a row puts into the cluster. */
type Given = (() => Promise<void>)[];
type Row = [
	situation: string,
	given: Given,
	reason: string,
	headline: RegExp,
	/** Further words somewhere in the answer. */
	also?: RegExp,
];

const service =
	(
		spec: Partial<Service["spec"]> = {},
		wishes: Record<string, string> = {},
		name = "web",
		more: object = {},
	) =>
	() =>
		world.make(resources.services, {
			metadata: { namespace, name, annotations: wishes, ...more },
			spec: {
				type: "LoadBalancer",
				selector: { app: "web" },
				ports: [{ name: "http", port: 80 }],
				...spec,
			},
		});
const classed = (name: string): Partial<Service["spec"]> => ({
	loadBalancerClass: `fairlead.dev/${name}`,
});
const balancerClass =
	(name: string, spec: Partial<BalancerClass["spec"]> = {}) =>
	() =>
		world.make(resources.balancerClasses, {
			metadata: { name },
			spec: { provider: "Static", ...spec },
		});
const cloudClass =
	(status: number, secret = "token") =>
	() =>
		world.make(resources.balancerClasses, {
			metadata: { name: "cloud" },
			spec: {
				provider: "HetznerCloud",
				default: true,
				hetznerCloud: {
					endpoint: `${world.cloudUrl}/${status}/v1`,
					tokenSecretRef: { namespace, name: secret },
					location: "fsn1",
				},
			},
		});
const token = () =>
	world.make(resources.secrets, {
		metadata: { namespace, name: "token" },
		data: { token: Buffer.from("cloud-secret-0815").toString("base64") },
	} as object as { metadata: { name: string } });
const pool =
	(name: string, spec: Partial<AddressPool["spec"]> = {}) =>
	() =>
		world.make(resources.addressPools, {
			metadata: { name },
			spec: { addresses: ["192.0.2.0/31"], ...spec },
		});
const node =
	(name: string, labels: Record<string, string> = {}) =>
	() =>
		world.make(resources.nodes, { metadata: { name, labels } });
const endpoints =
	(ready: boolean, nodeName = "n1") =>
	() =>
		world.make(resources.endpointSlices, {
			metadata: {
				namespace,
				name: "web-1",
				labels: { "kubernetes.io/service-name": "web" },
			},
			addressType: "IPv4",
			endpoints: [
				{ addresses: ["10.244.0.2"], conditions: { ready }, nodeName },
			],
			ports: [{ name: "http", port: 8080 }],
		} as object as { metadata: { name: string } });
/** Waits until another Service has its address. */
const served = (name: string) => async () => {
	for (;;) {
		const found = await world.client.get<Service>(resources.services, {
			namespace,
			name,
		});
		if (found.status?.loadBalancer?.ingress?.length) return;
		await new Promise((resolve) => setTimeout(resolve, 25));
	}
};
const written =
	(type: string, status: "True" | "False", reason: string, message: string) =>
	() =>
		world.writeStatus({
			conditions: [
				{
					type,
					status,
					reason,
					message,
					lastTransitionTime: "2026-01-01T00:00:00Z",
				},
			],
		});

async function expectRow(row: Row): Promise<void> {
	const [, given, reason, headline, also] = row;
	await world.clear();
	for (const step of given) await step();
	await world.explained(reason);
	const { code, lines, complaint } = await world.explain([`${namespace}/web`]);
	expect(complaint).toBe("");
	expect(lines[0]).toMatch(headline);
	const all = lines.join("\n");
	if (reason !== "EndpointsReady" || !/is served/.test(lines[0] ?? ""))
		expect(all).toContain(reason);
	if (also) expect(all).toMatch(also);
	expect(code).toBe(/ is served at /.test(lines[0] ?? "") ? 0 : 3);
}

describe("fairlead explain, before the kinds are installed", () => {
	it.each<Row>([
		[
			"says which kind is missing",
			[service()],
			"KindMissing",
			/shop\/web waits: kind BalancerClass is not installed/,
			/balancerclasses\.fairlead\.dev \(Missing\)/,
		],
	])("%s", (...row) => expectRow(row));
});

describe("fairlead explain, while no controller runs", () => {
	beforeAll(async () => {
		await world.installKinds();
		await world.grant();
	});
	it.each<Row>([
		[
			"says that it is a controller that is missing",
			[balancerClass("fast", { default: true }), pool("a"), service()],
			"ControllerAbsent",
			/shop\/web waits: no controller is known to run \(nobody holds Lease fairlead-system\/fairlead-controller\)$/,
			/ControllerAbsent .* has yet to record 192\.0\.2\.0 of pool a/,
		],
		[
			"names what the Service lacks before the controller that would say so",
			[balancerClass("fast"), pool("a"), service()],
			"NoDefaultClass",
			/no BalancerClass is default/,
			/Start fairlead controller/,
		],
		[
			"tells what the nodes have not programmed, as it was written",
			[
				balancerClass("fast", { default: true }),
				pool("a"),
				service(),
				() =>
					world.client
						.patch(
							resources.balancerClasses,
							{ name: "fast" },
							{
								type: "merge",
								body: {
									metadata: { finalizers: ["fairlead.dev/class-in-use"] },
								},
							},
						)
						.then(() => undefined),
				() =>
					world.writeStatus(
						{},
						{
							annotations: {
								[annotations.assigned]: JSON.stringify({
									addresses: ["192.0.2.0"],
									class: "fast",
									pools: ["a"],
									number: "1",
								}),
							},
						},
					),
				written(conditions.provisioned, "True", "Provisioned", "made"),
				written(
					conditions.programmed,
					"False",
					"NodesLagging",
					"node n2 has not programmed it yet",
				),
			],
			"NodesLagging",
			/shop\/web waits: node n2 has not programmed it yet/,
		],
		[
			"names somebody else's finalizer",
			[
				service({ type: "ClusterIP" }, {}, "web", {
					finalizers: ["example.com/hold"],
				}),
				() =>
					world.client.delete(resources.services, { namespace, name: "web" }),
			],
			"ForeignFinalizer",
			/shop\/web is being deleted and waits: finalizer example\.com\/hold of somebody else holds it/,
		],
	])("%s", (...row) => expectRow(row));

	it("works with nothing but read access, and says what it may not read", async () => {
		await world.clear();
		await balancerClass("fast", { default: true })();
		await service()();
		const { code, lines } = await world.explain(
			[`${namespace}/web`],
			world.cluster.kubeconfigFor({ user: "reader" }),
		);
		expect(code).toBe(3);
		expect(lines[0]).toMatch(/waits: AddressPools cannot be read/);
		expect(lines.join("\n")).toContain("addresspools.fairlead.dev (Forbidden)");
	});

	it.each<[string, string[], "nobody" | undefined, number, RegExp]>([
		[
			"who may not even read Services is told which verb is missing",
			[`${namespace}/web`],
			"nobody",
			1,
			/fairlead explain: .*cannot list resource "services"/,
		],
		[
			"a Service that is not there is named",
			[`${namespace}/none`],
			undefined,
			1,
			/there is no Service none in namespace shop/,
		],
		[
			"a name without namespace is not understood",
			["web"],
			undefined,
			2,
			/web: must be NAMESPACE\/NAME of a Service, or its NAME with -n NAMESPACE/,
		],
	])("%s", async (_row, args, user, code, complaint) => {
		const said = await world.explain(
			args,
			user && world.cluster.kubeconfigFor({ user }),
		);
		expect(said.complaint).toMatch(complaint);
		expect(said.code).toBe(code);
	});
});

describe("fairlead explain, while the controller's writes are refused", () => {
	beforeAll(() => world.lead("powerless"));
	it.each<Row>([
		[
			"says that it runs and writes nothing",
			[balancerClass("fast", { default: true }), pool("a"), service()],
			"ControllerSilent",
			/shop\/web waits: the controller .* has written nothing on this Service yet/,
			/RBAC may not let it patch services\/status/,
		],
	])("%s", (...row) => expectRow(row));
});

describe("fairlead explain, while a controller runs", () => {
	beforeAll(() => world.lead());
	const fast = balancerClass("fast", { default: true });
	it.each<Row>([
		[
			"says where a Service is served",
			[fast, pool("a"), node("n1"), service(), endpoints(true)],
			"EndpointsReady",
			/^shop\/web is served at 192\.0\.2\.0$/,
			/a +1 of 2 +Holds +holds 192\.0\.2\.0/,
		],
		[
			"leaves a ClusterIP Service alone",
			[fast, service({ type: "ClusterIP" })],
			"NotLoadBalancer",
			/is not Fairlead's: its type is ClusterIP/,
		],
		[
			"leaves another controller's class alone",
			[fast, service({ loadBalancerClass: "example.com/lb" })],
			"OtherController",
			/is not Fairlead's: loadBalancerClass example\.com\/lb belongs to another controller/,
		],
		[
			"names the class that is not there",
			[fast, service(classed("gold"))],
			"UnknownClass",
			/there is no BalancerClass gold/,
			/fast +Static +Other +the Service names fairlead\.dev\/gold/,
		],
		[
			"names both default classes",
			[fast, balancerClass("slow", { default: true }), service()],
			"AmbiguousDefaultClass",
			/BalancerClasses fast and slow are all default/,
		],
		[
			"names who serves the Service already",
			[
				service(),
				() =>
					world.writeStatus({
						loadBalancer: { ingress: [{ ip: "10.0.0.9" }] },
					}),
				fast,
				pool("a"),
			],
			"ClaimedByAnother",
			/serves this Service already \(status\.loadBalancer\.ingress 10\.0\.0\.9\)/,
		],
		[
			"says how full a pool is",
			[
				fast,
				pool("a", { addresses: ["192.0.2.0/32"] }),
				service({}, {}, "one"),
				served("one"),
				service(),
			],
			"PoolFull",
			/^shop\/web waits: pool a is full \(1 of 1\)$/,
			/a +1 of 1 +Refuses +full/,
		],
		[
			"says that there is no pool",
			[fast, service()],
			"NoPools",
			/waits: there is no AddressPool$/,
		],
		[
			"says of every pool why not",
			[
				fast,
				pool("a", { addresses: ["192.0.2.0/31"], classes: ["gold"] }),
				pool("b", {
					addresses: ["198.51.100.0/31"],
					namespaceSelector: { matchLabels: { team: "ops" } },
				}),
				pool("c", { addresses: ["203.0.113.0/31"], autoAssign: false }),
				pool("d", { addresses: ["2001:db8::/127"] }),
				service(),
			],
			"NoAddressAvailable",
			/pool a: class fast is not admitted \(classes: gold\); pool b: namespace shop is not admitted by namespaceSelector; and 2 more reasons/,
			/c +0 of 2 +Refuses +autoAssign is false[^]*d +0 of 2 +Refuses +no IPv4 addresses/,
		],
		[
			"says that the pool asked for does not exist",
			[fast, pool("a"), service({}, { [annotations.pool]: "gold" })],
			"NoAddressAvailable",
			/pool gold does not exist, and the Service asks for it/,
		],
		[
			"names who holds the address asked for",
			[
				fast,
				pool("a"),
				service({}, {}, "one"),
				served("one"),
				service({}, { [annotations.addresses]: "192.0.2.0" }),
			],
			"AddressInUse",
			/192\.0\.2\.0 is held by shop\/one, and this Service has no sharing key/,
		],
		[
			"names the port that two cannot share",
			[
				fast,
				pool("a", { addresses: ["192.0.2.0/32"] }),
				service({}, { [annotations.sharingKey]: "k" }, "one"),
				served("one"),
				service(
					{},
					{
						[annotations.sharingKey]: "k",
						[annotations.addresses]: "192.0.2.0",
					},
				),
			],
			"AddressInUse",
			/held by shop\/one, which has port TCP\/80 on it/,
		],
		[
			"says that an address asked for is in no pool",
			[fast, pool("a"), service({}, { [annotations.addresses]: "10.1.1.1" })],
			"AddressNotInPool",
			/10\.1\.1\.1 is in no pool/,
		],
		[
			"names the reservation that keeps the address asked for",
			[
				fast,
				pool("a"),
				() =>
					world.make(resources.addressReservations, {
						metadata: { namespace, name: "vip" },
						spec: {
							pool: "a",
							addresses: ["192.0.2.1"],
							serviceName: "later",
						},
					} as object as { metadata: { name: string } }),
				service({}, { [annotations.addresses]: "192.0.2.1" }),
			],
			"AddressHeld",
			/192\.0\.2\.1 is reserved for shop\/later by AddressReservation shop\/vip/,
		],
		[
			"says that the provider of the class is not part of this version",
			[balancerClass("l2", { provider: "Layer2", default: true }), service()],
			"ProviderUnavailable",
			/provider Layer2 is not part of this version/,
		],
		[
			"says what of a wish is no address",
			[fast, pool("a"), service({}, { [annotations.addresses]: "10.1.1" })],
			"AddressInvalid",
			/fairlead\.dev\/addresses: "10\.1\.1"/,
		],
		[
			"says which wishes contradict each other",
			[
				fast,
				pool("a"),
				service(
					{},
					{ [annotations.pool]: "a", "metallb.io/address-pool": "b" },
				),
			],
			"RequestConflict",
			/annotation fairlead\.dev\/pool says "a" and metallb\.io\/address-pool says "b"/,
		],
		[
			"names the family that no pool has",
			[
				fast,
				pool("a"),
				service({ ipFamilies: ["IPv6"], ipFamilyPolicy: "SingleStack" }),
			],
			"NoAddressesOfFamily",
			/pool a has no IPv6 addresses/,
		],
		[
			"says that the cloud's token is missing",
			[cloudClass(200, "none"), service()],
			"CloudTokenMissing",
			/Secret shop\/none with the cloud's token does not exist/,
		],
		[
			"says that the cloud does not take the token",
			[token, cloudClass(401), service()],
			"CloudUnauthorized",
			/the cloud said 401/,
		],
		[
			"says that the cloud wants it slower",
			[token, cloudClass(429), service()],
			"CloudRateLimited",
			/waits: .*/,
			/Fairlead waits as long as it said/,
		],
		[
			"says that the selector matches nothing",
			[fast, pool("a"), service(), served("web")],
			"SelectorMatchesNothing",
			/shop\/web has 192\.0\.2\.0, but no pod with an address matches its selector app=web/,
		],
		[
			"says that no endpoint is ready",
			[fast, pool("a"), service(), served("web"), endpoints(false)],
			"NoReadyEndpoints",
			/shop\/web has 192\.0\.2\.0, but none of its 1 endpoints is ready/,
		],
		[
			"says that nobody wrote EndpointSlices for a Service without selector",
			[
				fast,
				pool("a"),
				service({ selector: null } as unknown as Service["spec"]),
				served("web"),
			],
			"NoSelector",
			/it has no selector, and nobody wrote EndpointSlices/,
		],
		[
			"says that policy Local finds no endpoint on a node",
			[
				fast,
				pool("a"),
				node("n1"),
				service({ externalTrafficPolicy: "Local" }),
				served("web"),
				endpoints(true, "n9"),
			],
			"NoLocalEndpoints",
			/externalTrafficPolicy is Local, and no node that takes traffic has one of the 1 ready endpoints/,
		],
		[
			"says that an address is kept though its pool lost it",
			[
				fast,
				pool("a"),
				node("n1"),
				service(),
				endpoints(true),
				served("web"),
				() =>
					world.client
						.patch(
							resources.addressPools,
							{ name: "a" },
							{
								type: "merge",
								body: { spec: { addresses: ["198.51.100.0/31"] } },
							},
						)
						.then(() => undefined),
			],
			"OutsidePool",
			/192\.0\.2\.0 is kept, though the pool no longer has it/,
		],
	])("%s", (...row) => expectRow(row));

	it("answers as a plugin of kubectl", async () => {
		await world.clear();
		for (const step of [fast, service(classed("gold"))]) await step();
		await world.explained("UnknownClass");
		const { code, lines } = await world.plugin(["explain", `${namespace}/web`]);
		expect(lines[0]).toMatch(
			/^shop\/web waits: .*there is no BalancerClass gold/,
		);
		expect(code).toBe(3);
	});

	it("lists all that wait, each with its reason, and nobody else", async () => {
		await world.clear();
		for (const step of [
			fast,
			pool("a", { addresses: ["192.0.2.0/32"] }),
			node("n1"),
			service(),
			endpoints(true),
			served("web"),
			service({}, {}, "late"),
			service(classed("gold"), {}, "lost"),
			service({ type: "ClusterIP" }, {}, "inside"),
		])
			await step();
		await world.explained("EndpointsReady");
		const { code, lines } = await world.explain([]);
		expect(code).toBe(3);
		expect(lines.filter((line) => line.startsWith("shop/"))).toEqual([
			expect.stringMatching(
				/^shop\/late +Waiting +PoolFull +waits: pool a is full \(1 of 1\)$/,
			),
			expect.stringMatching(/^shop\/lost +Waiting +UnknownClass +waits: /),
		]);
		const json = await world.explain(["-o", "json"]);
		expect(
			(JSON.parse(json.lines.join("\n")) as { service: string }[]).map(
				(each) => each.service,
			),
		).toEqual(["shop/late", "shop/lost"]);
	});
});

describe("fairlead explain, after the controller was killed", () => {
	it("says since when nobody has heard of it", async () => {
		await world.leave();
		await world.clear();
		await world.client.patch(
			resources.leases,
			{ namespace: "fairlead-system", name: "fairlead-controller" },
			{
				type: "merge",
				body: {
					spec: {
						holderIdentity: "killed_1",
						renewTime: "2026-01-01T00:00:00.000000Z",
					},
				},
			},
		);
		await expectRow([
			"",
			[balancerClass("fast", { default: true }), pool("a"), service()],
			"ControllerExpired",
			/the controller killed_1 has not been heard of since 2026-01-01T00:00:00/,
		]);
	});
});
