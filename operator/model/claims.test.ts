import type { Service } from "../api/core.ts";
import type { Condition } from "../api/meta.ts";
import { annotations, conditions, finalizers } from "../api/names.ts";
import { claimOfAnother } from "./claims.ts";

const said = (
	type: string,
	status: Condition["status"],
	reason: string,
): Condition => ({
	type,
	status,
	reason,
	message: "",
	lastTransitionTime: "2026-01-01T00:00:00Z",
});
const service = (
	metadata: Partial<Service["metadata"]>,
	status: Service["status"] = {},
	spec: Service["spec"] = {},
): Service => ({
	metadata: { name: "web", namespace: "shop", ...metadata },
	spec: { type: "LoadBalancer", ...spec },
	status,
});
const shared = { finalizers: [finalizers.classless] };
const shown = { loadBalancer: { ingress: [{ ip: "198.51.100.9" }] } };

describe("whether another controller serves a Service", () => {
	it.each<[string, Service, string | undefined]>([
		["a new Service is nobody's", service({}), undefined],
		[
			"an ingress we did not write is somebody's",
			service({}, shown),
			"another controller: status.loadBalancer.ingress 198.51.100.9",
		],
		[
			"an ingress by name is somebody's as well",
			service({}, { loadBalancer: { ingress: [{ hostname: "lb.example" }] } }),
			"another controller: status.loadBalancer.ingress lb.example",
		],
		[
			"MetalLB is known by where it took the address from",
			service(
				{ annotations: { "metallb.io/ip-allocated-from-pool": "lab" } },
				shown,
			),
			"MetalLB: status.loadBalancer.ingress 198.51.100.9",
		],
		[
			"what MetalLB left when it was removed is no sign of it",
			service({
				annotations: { "metallb.universe.tf/ip-allocated-from-pool": "lab" },
			}),
			undefined,
		],
		[
			"a cloud controller has set the shared finalizer before it has an address",
			service(shared),
			"a cloud controller or k3s ServiceLB: finalizer service.kubernetes.io/load-balancer-cleanup",
		],
		[
			"k3s ServiceLB is known by its own finalizer",
			service({ finalizers: ["svccontroller.k3s.cattle.io/daemonset"] }),
			"k3s ServiceLB: finalizer svccontroller.k3s.cattle.io/daemonset",
		],
		[
			"a finalizer of somebody with other business is no sign",
			service({ finalizers: ["example.com/dns"] }),
			undefined,
		],
		[
			"what our record speaks of is ours",
			service(
				{ annotations: { [annotations.provisionedBy]: "cloud/HetznerCloud" } },
				shown,
			),
			undefined,
		],
		[
			"an address we said we assigned is ours, even when the record was stripped",
			service(shared, {
				...shown,
				conditions: [
					said(conditions.addressAssigned, "True", "Assigned"),
					said(conditions.provisioned, "True", "Provisioned"),
				],
			}),
			undefined,
		],
		[
			"a finalizer on a Service our provider failed for is ours, even when the record was stripped",
			service(shared, {
				conditions: [said(conditions.provisioned, "False", "CloudRefused")],
			}),
			undefined,
		],
		[
			"having told a Service that it is another's does not make it ours",
			service(shared, {
				...shown,
				conditions: [
					said(conditions.addressAssigned, "False", "ClaimedByAnother"),
					said(conditions.provisioned, "False", "ClaimedByAnother"),
				],
			}),
			"a cloud controller or k3s ServiceLB: status.loadBalancer.ingress 198.51.100.9",
		],
		[
			"having told a Service that two classes are default does not make it ours",
			service(shared, {
				conditions: [
					said(conditions.provisioned, "False", "AmbiguousDefaultClass"),
				],
			}),
			"a cloud controller or k3s ServiceLB: finalizer service.kubernetes.io/load-balancer-cleanup",
		],
		[
			"a Service that names a class is whose class it is",
			service(shared, shown, { loadBalancerClass: "fairlead.dev/lab" }),
			undefined,
		],
	])("%s", (_row, subject, expected) => {
		const claim = claimOfAnother(subject);
		expect(claim && `${claim.by}: ${claim.sign}`).toBe(expected);
	});
});
