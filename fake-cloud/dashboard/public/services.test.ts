import type { ServicePath } from "../services/service-path.ts";
import { followServices } from "./services.js";

const service = (name: string, type = "ClusterIP") =>
	({ namespace: "default", name, type }) as ServicePath;

test("Services are kept as they come, change and go", () => {
	const source = new EventTarget();
	const services: { value: ReadonlyMap<string, ServicePath> | null } = {
		value: null,
	};
	followServices(source, services);
	const say = (name: string, data: unknown) =>
		source.dispatchEvent(
			new MessageEvent(name, { data: JSON.stringify(data) }),
		);
	const known = () =>
		[...(services.value ?? [])].map(([key, { type }]) => `${key} ${type}`);
	say("services", [service("a"), service("b")]);
	say("service", service("b", "NodePort"));
	say("service", service("c"));
	say("service-removed", { namespace: "default", name: "a" });
	expect(known()).toEqual(["default/b NodePort", "default/c ClusterIP"]);
	say("services", [service("d")]);
	expect(known()).toEqual(["default/d ClusterIP"]);
});
