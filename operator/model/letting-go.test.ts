import type { Service } from "../api/core.ts";
import type { BalancerClass, ProviderName } from "../api/fairlead.ts";
import { letGoUnasked } from "./letting-go.ts";

const service = (change: Partial<Service["spec"]> = {}): Service => ({
	metadata: { name: "web", namespace: "shop" },
	spec: { type: "LoadBalancer", ...change },
});
const balancerClass = (provider: ProviderName): BalancerClass => ({
	metadata: { name: "a" },
	spec: { provider },
});
const held = (provider: string) => ({ className: "a", provider });
const kind = (...args: Parameters<typeof letGoUnasked>) =>
	letGoUnasked(...args)?.kind;

describe("letting go of what a class holds for a Service", () => {
	it.each<[string, string | undefined, Parameters<typeof letGoUnasked>]>([
		[
			"asks the cloud that holds it",
			undefined,
			[service(), held("HetznerCloud"), balancerClass("HetznerCloud")],
		],
		[
			"asks for the class back when it is gone and a cloud holds something",
			undefined,
			[service({ type: "ClusterIP" }), held("HetznerCloud"), undefined],
		],
		[
			"fails, and leaks nothing, when the class came back with another provider",
			"Failed",
			[service(), held("HetznerCloud"), balancerClass("Static")],
		],
		[
			"asks nobody for an address of our own pools",
			"Gone",
			[service(), held("Static"), balancerClass("HetznerCloud")],
		],
		[
			"asks nobody for an address of our own pools when the class is gone and the Service changed its type",
			"Gone",
			[service({ type: "ClusterIP" }), held("Static"), undefined],
		],
		[
			"leaves a Service its address when the class was taken away by force",
			undefined,
			[service(), held("Static"), undefined],
		],
		[
			"leaves a provider it does not know to whoever does",
			undefined,
			[service(), held("Newer"), balancerClass("Static")],
		],
	])("%s", (_row, expected, args) => {
		expect(kind(...args)).toBe(expected);
	});
});
