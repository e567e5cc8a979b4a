import { FakeClock } from "../../test/support/fake-clock.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import type { Service } from "../api/core.ts";
import type { BalancerClass, ProviderName } from "../api/fairlead.ts";
import { annotations } from "../api/names.ts";
import type {
	DesiredBalancer,
	ObservedBalancer,
} from "../model/balancer/balancer.ts";
import type { Provider } from "../providers/provider.ts";
import { GoneServices } from "./gone-services.ts";
import { ProviderCalls } from "./provider-calls.ts";

const vanished = (holding: string): Service => ({
	metadata: {
		namespace: "shop",
		name: "web",
		uid: "u1",
		annotations: { [annotations.provisionedBy]: holding },
	},
	spec: { type: "LoadBalancer" },
});

function setUp(provider: ProviderName | undefined) {
	const deleted: string[] = [];
	const released: string[] = [];
	let current: BalancerClass | undefined = provider && {
		metadata: { name: "cloud" },
		spec: { provider },
	};
	const woken: string[] = [];
	const made = Promise.withResolvers<ObservedBalancer>();
	const calls = new ProviderCalls({
		clock: new FakeClock(),
		random: () => 0,
		log: quietLog(),
		provider: async () =>
			({
				ensure: () => made.promise,
				delete: async ({ serviceUid }: { serviceUid: string }) => {
					deleted.push(serviceUid);
					return { gone: true };
				},
			}) as unknown as Provider,
		wake: (key) => woken.push(key),
	});
	const gone = new GoneServices({
		calls,
		clusterId: "c1",
		classOf: () => current,
		released: (name) => released.push(name),
	});
	const become = (next: ProviderName) => {
		current = { metadata: { name: "cloud" }, spec: { provider: next } };
	};
	return { gone, deleted, released, become, calls, made, woken };
}

describe("what is held for a Service that vanished", () => {
	it("is deleted through the class that holds it, which is let go then", async () => {
		const { gone, deleted, released } = setUp("HetznerCloud");
		const key = gone.add(vanished("cloud/HetznerCloud")) ?? "";
		expect(gone.holds("cloud")).toBe(true);
		await gone.sync(key);
		expect(deleted).toEqual(["u1"]);
		expect(released).toEqual(["cloud"]);
		expect(gone.holds("cloud")).toBe(false);
	});

	it("is deleted only when the call that may be making it has ended", async () => {
		const { gone, deleted, released, calls, made, woken } =
			setUp("HetznerCloud");
		await calls.start("shop/web", {
			do: "ensure",
			className: "cloud",
			config: "",
			desired: {} as DesiredBalancer,
		});
		const key = gone.add(vanished("cloud/HetznerCloud")) ?? "";
		calls.drop("shop/web");
		await gone.sync(key);
		expect({ deleted, released }).toEqual({ deleted: [], released: [] });
		made.resolve({ ports: [] } as unknown as ObservedBalancer);
		await new Promise(setImmediate);
		expect(deleted).toEqual(["u1"]);
		expect(woken).toEqual(["shop/web", key]);
		await gone.sync(key);
		expect(released).toEqual(["cloud"]);
	});

	it("is nothing to do where nothing outside the API is held", () => {
		expect(setUp("Static").gone.add(vanished("cloud/Static"))).toBeUndefined();
	});

	it("waits for its provider while the class has another, whose word does not count", async () => {
		const { gone, deleted, become } = setUp("Static");
		const key = gone.add(vanished("cloud/HetznerCloud")) ?? "";
		expect(await gone.sync(key)).toEqual({ retryAfterMs: 60_000 });
		expect(deleted).toEqual([]);
		expect(gone.holds("cloud")).toBe(true);
		become("HetznerCloud");
		await gone.sync(key);
		expect(deleted).toEqual(["u1"]);
	});
});
