import type { Service } from "../../operator/api/core.ts";
import type {
	AddressPool,
	BalancerClass,
} from "../../operator/api/fairlead.ts";
import { assignmentOf } from "../../operator/model/assignment.ts";
import type { History } from "./histories.ts";

export const edit =
	(key: string, change: (service: Service) => void) => (run: History) =>
		run.cluster.edit<Service>("services", key, change);
export const create =
	(name: string, spec: Service["spec"], noted: Record<string, string> = {}) =>
	(run: History) => {
		run.cluster.create<Service>("services", {
			metadata: {
				namespace: "shop",
				name,
				annotations: { "example.com/team": "a", ...noted },
				creationTimestamp: `2026-01-01T00:00:0${name.length % 10}Z`,
			},
			spec: { type: "LoadBalancer", ipFamilies: ["IPv4"], ...spec },
		});
	};
export const remove = (plural: string, key: string) => (run: History) =>
	run.cluster.remove(plural, key);
export const wipe = (service: Service) => {
	delete service.status;
};
/** What a GitOps tool does that owns the whole object. */
export const strip = (service: Service) => {
	service.metadata.annotations = { "example.com/team": "a" };
};
export const port = (number: number, nodePort = 30_000 + number) => ({
	port: number,
	nodePort,
	protocol: "TCP" as const,
});
export const lab = "fairlead.dev/lab";

export const balancerClass =
	(name: string, spec: BalancerClass["spec"]) => (run: History) => {
		run.cluster.create<BalancerClass>("balancerclasses", {
			metadata: { name },
			spec,
		});
	};
export const pool =
	(name: string, spec: AddressPool["spec"]) => (run: History) => {
		run.cluster.create<AddressPool>("addresspools", {
			metadata: { name },
			spec,
		});
	};
export const node =
	(name: string, labels = {}) =>
	(run: History) => {
		run.cluster.create("nodes", { metadata: { name, labels } });
	};
export const endpoints = (service: string) => (run: History) => {
	run.cluster.create("endpointslices", {
		metadata: {
			namespace: "shop",
			name: `${service}-1`,
			labels: { "kubernetes.io/service-name": service },
		},
		addressType: "IPv4",
		endpoints: [{ addresses: ["10.1.0.1"] }],
	} as never);
};

/** Addresses that two Services hold. */
export function doubles(run: History): string[] {
	const held = run.cluster
		.all<Service>("services")
		.flatMap((service) => assignmentOf(service)?.addresses ?? []);
	return held.filter((ip, at) => held.indexOf(ip) !== at);
}

/** Patches that would have hit another object, or another version of it, than the one they were decided for. */
export function unguarded(run: History): unknown[] {
	return run.cluster.patches.filter(
		({ body }) => !body.metadata?.uid || !body.metadata.resourceVersion,
	);
}
