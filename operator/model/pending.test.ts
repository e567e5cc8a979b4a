import type { Service } from "../api/core.ts";
import { conditions } from "../api/names.ts";
import { pendingOf } from "./pending.ts";

const at = "2026-01-01T00:00:00Z";
const condition = (type: string, status: "True" | "False", reason: string) => ({
	type,
	status,
	reason,
	message: `${reason}.`,
	lastTransitionTime: at,
});
const service = (status: Service["status"]): Service => ({
	metadata: { name: "web", creationTimestamp: at },
	spec: { type: "LoadBalancer" },
	...(status ? { status } : {}),
});

describe("why a Service waits", () => {
	it.each<[string, Service, string | undefined]>([
		[
			"one with an address waits for nothing",
			service({ loadBalancer: { ingress: [{ ip: "192.0.2.1" }] } }),
			undefined,
		],
		[
			"one of another type waits for nothing",
			{ metadata: { name: "web" }, spec: { type: "ClusterIP" } },
			undefined,
		],
		[
			"one without an address waits for that first",
			service({
				conditions: [
					condition(conditions.provisioned, "False", "PortsRefused"),
					condition(conditions.addressAssigned, "False", "PoolFull"),
				],
			}),
			"PoolFull",
		],
		[
			"one with an address recorded waits for its balancer",
			service({
				conditions: [
					condition(conditions.addressAssigned, "True", "Assigned"),
					condition(conditions.provisioned, "False", "CloudServerError"),
				],
			}),
			"CloudServerError",
		],
		["one nobody spoke of says so", service(undefined), "NobodyAnswered"],
	])("%s", (_row, subject, reason) => {
		expect(pendingOf(subject)?.reason).toBe(reason);
	});
});
