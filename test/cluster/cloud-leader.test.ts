import { jest } from "@jest/globals";
import { finalizers } from "../../operator/api/names.ts";
import { CallProxy, type ProxiedCall } from "../support/call-proxy.ts";
import { eventually } from "../support/eventually.ts";
import type { Fairlead } from "../support/fairlead.ts";
import { type CloudBalancer, World } from "../support/world.ts";

jest.setTimeout(180_000);

let world: World;
let proxy: CallProxy;
/** Called before each call to the cloud is passed on; while it has not resolved the cloud knows nothing of it. */
let before: (call: ProxiedCall) => Promise<void> | undefined;

beforeAll(async () => {
	world = await World.start();
	proxy = await CallProxy.start({
		side: "cloud",
		upstream: world.cloudUrl,
		before: (call) => before(call),
	});
	before = () => undefined;
	await world.furnish(`${proxy.url}/v1`);
	await world.kubectl("create", "namespace", "fairlead-system");
});
afterAll(async () => {
	await world?.stop();
	await proxy?.close();
});

/** A controller that competes for the Lease; orphans are collected within seconds. */
function controller(): Fairlead {
	return world.controller(
		...["--leader-elect", "--cluster-id", "c1"],
		...["--audit-schedule", "* * * * * *"],
		...["--delete-orphans", "--orphan-grace", "1s"],
	);
}

const leads = ({ msg }: { msg: string }) => msg.startsWith("leads:");

/** Holds calls to the cloud on their way; resolves when as many as wanted are held, and gives what lets them go on. */
function hold(
	count: number,
	held: (call: ProxiedCall) => boolean,
): Promise<() => void> {
	return new Promise((resolve) => {
		let letGo = () => {};
		const released = new Promise<void>((go) => {
			letGo = go;
		});
		let left = count;
		before = (call) => {
			if (!held(call)) return undefined;
			left--;
			if (left === 0) {
				before = () => undefined;
				resolve(letGo);
			}
			return released;
		};
	});
}

describe("calls of a deposed leader that land when another leads", () => {
	it("meet what its successor made, and what they leave is found and put right", async () => {
		const old = controller();
		await old.logged(leads);
		await world.service("api");
		await world.address("api");

		// The leader stops in the middle of two creates and of a change of a listener.
		const holding = hold(
			3,
			({ method, path }) =>
				method === "POST" &&
				/^\/v1\/load_balancers(\/\d+\/actions\/add_service)?$/.test(path),
		);
		await world.service("web");
		await world.service("gone");
		await world.service("api", { ports: [{ name: "old", port: 81 }] });
		const release = await holding;
		old.child.kill("SIGSTOP");

		// Another takes over, and the world goes on.
		const successor = controller();
		await successor.logged(leads);
		const address = await world.address("web");
		await world.kubectl("delete", "svc", "gone", "--timeout=30s");
		await world.service("api", { ports: [{ name: "new", port: 82 }] });
		await eventually(
			() => world.balancers(),
			(list) => expect(ports(list)).toContainEqual([82]),
		);

		// The calls land; then the old leader goes on, and notices.
		release();
		const orphan = successor.logged(({ msg }) =>
			msg.includes("is an orphan (no Service has its UID)"),
		);
		await orphan;
		old.child.kill("SIGCONT");
		await old.logged(({ msg }) => msg === "leads no more");
		await audits(2);
		const { uid: webUid } = (await world.get("web")).metadata;
		const { uid: apiUid } = (await world.get("api")).metadata;
		await eventually(
			() => world.balancers(),
			(list) => {
				const byUid = new Map(
					list.map((each) => [
						each.labels["fairlead.dev/service-uid"],
						ports([each])[0],
					]),
				);
				expect(list).toHaveLength(2);
				expect(byUid.get(webUid)).toEqual([80]);
				expect(byUid.get(apiUid)).toEqual([82]);
				expect(list.map(({ public_net }) => public_net.ipv4.ip)).toContain(
					address,
				);
			},
		);
		expect(await world.address("web")).toBe(address);
		const service = await world.get("web");
		expect(service.metadata.finalizers).toEqual([finalizers.classless]);

		await world.kubectl("delete", "svc", "web", "api", "--timeout=30s");
		expect(await world.balancers()).toEqual([]);
		for (const each of [old, successor])
			expect(await each.kill("SIGTERM")).toMatchObject({ code: 0 });
	});
});

const ports = (list: CloudBalancer[]) =>
	list.map(({ services }) => services.map((each) => each.listen_port));

/** Resolves when so many audits have read the cloud's list from now on. */
async function audits(count: number): Promise<void> {
	const isList = ({ path }: ProxiedCall) =>
		/label_selector=fairlead.dev%2Fcluster/.test(path);
	const from = proxy.calls.filter(isList).length;
	await eventually(
		() => proxy.calls.filter(isList).length,
		(now) => expect(now).toBeGreaterThan(from + count),
	);
}
