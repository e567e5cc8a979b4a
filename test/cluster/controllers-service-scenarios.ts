import type { Snapshot } from "./controllers-snapshot.ts";
import type { TwoWorlds } from "./controllers-world.ts";

export type Scenario = [
	name: string,
	play: (worlds: TwoWorlds) => Promise<void>,
];

const endpointsIn = ({ slices }: Snapshot) =>
	slices.flatMap(({ endpoints }) => endpoints);

const conditions = (snapshot: Snapshot) =>
	endpointsIn(snapshot).map(
		({ conditions }) => conditions as Record<string, boolean>,
	);

/** The conditions of all endpoints, e.g. `ready` `serving`: how many have each. */
const count = (snapshot: Snapshot, name: string) =>
	conditions(snapshot).filter((each) => each[name]).length;

export function service(more: object = {}, meta: object = {}) {
	return {
		metadata: { name: "web", ...meta },
		spec: {
			selector: { app: "web" },
			ports: [{ name: "http", port: 80, targetPort: 8080 }],
			...more,
		},
	};
}

/** A pod of nobody. */
export function pod(name: string, ports: object[] = [], more: object = {}) {
	return {
		metadata: { name, labels: { app: "web" } },
		spec: { containers: [{ name: "c", image: "i:1", ports }], ...more },
	};
}

/** Creates pods one after the other, so that each has the same address in both worlds. */
async function runPods(worlds: TwoWorlds, ...pods: object[]): Promise<void> {
	for (const each of pods)
		await worlds.do(async (world) => {
			await world.create("pods", { ...each });
			await world.place(1);
		});
}

export const serviceScenarios: Scenario[] = [
	[
		"A Service without pods has one empty slice and empty Endpoints",
		async (worlds) => {
			await worlds.do((world) => world.create("services", service()));
			await worlds.agree(
				({ slices, endpoints }) =>
					slices.length === 1 && endpoints.length === 1,
			);
		},
	],
	[
		"An endpoint is ready when its pod is, and is there before it is",
		async (worlds) => {
			await worlds.do((world) => world.create("services", service()));
			await runPods(worlds, pod("a"), pod("b"));
			await worlds.agree((seen) => endpointsIn(seen).length === 2);
			await worlds.do((world) => world.say([1], "ready"));
			await worlds.agree((seen) => count(seen, "ready") === 1);
			await worlds.do((world) => world.say([2], "ready"));
			await worlds.agree((seen) => count(seen, "ready") === 2);
			await worlds.do((world) => world.say([1], "not ready"));
			await worlds.agree((seen) => count(seen, "ready") === 1);
		},
	],
	[
		"A terminating pod serves on until it is not ready, and is gone with its pod",
		async (worlds) => {
			await worlds.do((world) => world.create("services", service()));
			await runPods(worlds, pod("a"), pod("b"));
			await worlds.do((world) => world.say([1, 2], "ready"));
			await worlds.agree((seen) => count(seen, "ready") === 2);
			await worlds.do((world) => world.deletePod(1));
			await worlds.agree(
				(seen) =>
					count(seen, "ready") === 1 &&
					count(seen, "serving") === 2 &&
					count(seen, "terminating") === 1,
			);
			await worlds.do((world) => world.say([1], "not ready"));
			await worlds.agree((seen) => count(seen, "serving") === 1);
			await worlds.do((world) => world.bury(1));
			await worlds.agree((seen) => endpointsIn(seen).length === 1);
		},
	],
	[
		"publishNotReadyAddresses publishes what is not ready and what is on its way out",
		async (worlds) => {
			await worlds.do((world) =>
				world.create("services", service({ publishNotReadyAddresses: true })),
			);
			await runPods(worlds, pod("a"), pod("b"));
			await worlds.agree((seen) => count(seen, "ready") === 2);
			await worlds.do((world) => world.deletePod(2));
			await worlds.agree((seen) => count(seen, "terminating") === 1);
			await worlds.do((world) =>
				world.patch("services", "web", {
					spec: { publishNotReadyAddresses: false },
				}),
			);
			await worlds.agree((seen) => count(seen, "ready") === 0);
		},
	],
	[
		"A named port leads where each pod has it: one slice per set of ports",
		async (worlds) => {
			await worlds.do((world) =>
				world.create(
					"services",
					service({
						ports: [
							{ name: "http", port: 80, targetPort: "http" },
							{ name: "metrics", port: 9090, targetPort: "metrics" },
						],
					}),
				),
			);
			await runPods(
				worlds,
				pod("a", [{ name: "http", containerPort: 8080 }]),
				pod("b", [
					{ name: "http", containerPort: 8081 },
					{ name: "metrics", containerPort: 9100 },
				]),
				pod("c", []),
			);
			await worlds.do((world) => world.say([1, 2, 3], "ready"));
			await worlds.agree(
				(seen) => seen.slices.length === 3 && count(seen, "ready") === 3,
			);
			await worlds.do((world) => world.deletePod(2));
			await worlds.do((world) => world.bury(1));
			await worlds.agree(({ slices }) => slices.length === 2);
		},
	],
	[
		"Ports of one number keep their protocols and application protocols",
		async (worlds) => {
			await worlds.do((world) =>
				world.create(
					"services",
					service({
						ports: [
							{ name: "dns", port: 53, protocol: "UDP" },
							{ name: "dns-tcp", port: 53, appProtocol: "kubernetes.io/h2c" },
							{ name: "sctp", port: 99, protocol: "SCTP", targetPort: 100 },
						],
					}),
				),
			);
			await runPods(worlds, pod("a"));
			await worlds.do((world) => world.say([1], "ready"));
			await worlds.agree(
				(seen) =>
					count(seen, "ready") === 1 && seen.slices[0]?.ports.length === 3,
			);
			await worlds.do((world) =>
				world.patch("services", "web", {
					spec: { ports: [{ name: "dns", port: 53, protocol: "UDP" }] },
				}),
			);
			await worlds.agree(({ slices }) => slices[0]?.ports.length === 1);
		},
	],
	[
		"A headless Service names its pods' own host names",
		async (worlds) => {
			await worlds.do((world) =>
				world.create("services", service({ clusterIP: "None", ports: [] })),
			);
			await runPods(
				worlds,
				pod("a", [], { hostname: "one", subdomain: "web" }),
				pod("b", [], { hostname: "two", subdomain: "other" }),
			);
			await worlds.do((world) => world.say([1], "ready"));
			await worlds.agree(
				(seen) => count(seen, "ready") === 1 && endpointsIn(seen).length === 2,
			);
		},
	],
	[
		"A Service of both families has slices of both",
		async (worlds) => {
			await worlds.do((world) =>
				world.create(
					"services",
					service({ ipFamilyPolicy: "RequireDualStack" }),
				),
			);
			await worlds.agree(({ slices }) => slices.length === 2);
			await runPods(worlds, pod("a"));
			await worlds.do((world) => world.say([1], "ready"));
			await worlds.agree((seen) => count(seen, "ready") === 2);
			await worlds.do((world) =>
				world.patch("services", "web", {
					spec: { ipFamilyPolicy: "SingleStack" },
				}),
			);
			await worlds.agree(({ slices }) => slices.length === 1);
		},
	],
	[
		"Another selector leads to other pods; without one what was there stays",
		async (worlds) => {
			await worlds.do((world) => world.create("services", service()));
			await runPods(worlds, pod("a"), {
				...pod("b"),
				metadata: { name: "b", labels: { app: "other" } },
			});
			await worlds.do((world) => world.say([1, 2], "ready"));
			await worlds.agree((seen) => count(seen, "ready") === 1);
			await worlds.do((world) =>
				world.patch("services", "web", {
					spec: { selector: { app: "other" } },
				}),
			);
			await worlds.agree((seen) =>
				JSON.stringify(endpointsIn(seen)).includes("10.244.0.2"),
			);
			await worlds.do((world) =>
				world.patchPod(1, { metadata: { labels: { app: "other" } } }),
			);
			await worlds.agree((seen) => count(seen, "ready") === 2);
			await worlds.do((world) =>
				world.patch("services", "web", { spec: { selector: null } }),
			);
			await worlds.do((world) =>
				world.patchPod(2, { metadata: { labels: { app: "none" } } }),
			);
			await worlds.agree(
				// The Endpoints that stay have nobody who keeps them now: they are mirrored.
				(seen) => count(seen, "ready") === 4 && seen.slices.length === 2,
			);
		},
	],
	[
		"Labels of the Service are its slices' and Endpoints' labels",
		async (worlds) => {
			const labels = { team: "a", tier: "front" };
			await worlds.do((world) =>
				world.create("services", service({}, { labels })),
			);
			await worlds.agree(({ slices }) =>
				JSON.stringify(slices).includes("front"),
			);
			await runPods(worlds, pod("a"));
			await worlds.do((world) =>
				world.patch("services", "web", {
					metadata: { labels: { team: "b", tier: null } },
				}),
			);
			await worlds.agree(
				(seen) =>
					!JSON.stringify(seen).includes("front") &&
					endpointsIn(seen).length === 1,
			);
		},
	],
	[
		"Pods that have ended are no endpoints",
		async (worlds) => {
			await worlds.do((world) => world.create("services", service()));
			await runPods(worlds, pod("a"), pod("b"), pod("c"));
			await worlds.do((world) => world.say([1, 2, 3], "ready"));
			await worlds.agree((seen) => count(seen, "ready") === 3);
			await worlds.do((world) => world.say([1], "failed"));
			await worlds.do((world) => world.say([2], "succeeded"));
			await worlds.agree((seen) => endpointsIn(seen).length === 1);
			await worlds.do((world) => world.say([3], "failed"));
			await worlds.agree((seen) => endpointsIn(seen).length === 0);
		},
	],
	[
		"Slices that somebody else manages are left alone",
		async (worlds) => {
			const foreign = {
				metadata: {
					name: "foreign",
					labels: {
						"kubernetes.io/service-name": "web",
						"endpointslice.kubernetes.io/managed-by": "me",
					},
				},
				addressType: "IPv4",
				endpoints: [{ addresses: ["10.9.9.9"] }],
				ports: [{ name: "http", port: 1 }],
			};
			await worlds.do(async (world) => {
				await world.create("endpointSlices", foreign);
				await world.create("services", service());
			});
			await runPods(worlds, pod("a"));
			await worlds.agree((seen) => endpointsIn(seen).length === 2);
		},
	],
	[
		"Endpoints that people write for a Service without a selector are mirrored",
		async (worlds) => {
			const ports = [{ name: "http", port: 8080 }];
			await worlds.do(async (world) => {
				await world.create("services", service({ selector: undefined }));
				await world.create("endpoints", {
					metadata: {
						name: "web",
						labels: { team: "a" },
						annotations: { note: "b" },
					},
					subsets: [
						{
							addresses: [{ ip: "10.9.9.1", hostname: "one" }],
							notReadyAddresses: [{ ip: "10.9.9.2" }, { ip: "fd00::9" }],
							ports,
						},
					],
				});
			});
			await worlds.agree((seen) => endpointsIn(seen).length === 3);
			await worlds.do((world) =>
				world.patch("endpoints", "web", {
					metadata: { labels: { team: "c" } },
					subsets: [{ addresses: [{ ip: "10.9.9.3" }], ports }],
				}),
			);
			await worlds.agree((seen) => endpointsIn(seen).length === 1);
			const skip = (value: string | null) =>
				worlds.do((world) =>
					world.patch("endpoints", "web", {
						metadata: {
							labels: { "endpointslice.kubernetes.io/skip-mirror": value },
						},
					}),
				);
			await skip("true");
			await worlds.agree((seen) => endpointsIn(seen).length === 0);
			await skip(null);
			await worlds.agree((seen) => endpointsIn(seen).length === 1);
			await worlds.do((world) => world.delete("services", "web"));
			await worlds.agree(
				({ slices, endpoints }) => slices.length + endpoints.length === 0,
			);
		},
	],
	[
		"An ExternalName Service has no endpoints",
		async (worlds) => {
			await worlds.do(async (world) => {
				await world.create("services", {
					metadata: { name: "outside" },
					spec: {
						type: "ExternalName",
						externalName: "example.com",
						selector: { app: "web" },
					},
				});
				await world.create("services", service());
			});
			await runPods(worlds, pod("a"));
			await worlds.agree(
				(seen) => endpointsIn(seen).length === 1 && seen.endpoints.length === 1,
			);
		},
	],
	[
		"A slice that was deleted or broken by hand comes back",
		async (worlds) => {
			await worlds.do((world) => world.create("services", service()));
			await runPods(worlds, pod("a"));
			await worlds.do((world) => world.say([1], "ready"));
			await worlds.agree((seen) => count(seen, "ready") === 1);
			await worlds.do((world) => world.breakSlices({ endpoints: [] }));
			await worlds.agree((seen) => count(seen, "ready") === 1);
			await worlds.do((world) => world.breakSlices(undefined));
			await worlds.agree((seen) => count(seen, "ready") === 1);
		},
	],
	[
		"With the Service go its slices and its Endpoints",
		async (worlds) => {
			await worlds.do((world) => world.create("services", service()));
			await runPods(worlds, pod("a"));
			await worlds.agree((seen) => endpointsIn(seen).length === 1);
			await worlds.do((world) => world.delete("services", "web"));
			await worlds.agree(
				({ slices, endpoints }) => slices.length + endpoints.length === 0,
			);
		},
	],
];
