import type { Service } from "../api/core.ts";
import { annotations, conditions, finalizers } from "../api/names.ts";
import { undone } from "./undone.ts";

const served: Service = {
	metadata: {
		name: "web",
		namespace: "shop",
		finalizers: [finalizers.classless, "example.com/dns"],
		annotations: {
			[annotations.provisionedBy]: "cloud/HetznerCloud",
			[annotations.assigned]:
				'{"addresses":["192.0.2.1"],"class":"cloud","number":"7"}',
			"example.com/team": "a",
		},
	},
	spec: { type: "LoadBalancer" },
	status: {
		loadBalancer: { ingress: [{ ip: "192.0.2.1", ipMode: "VIP" }] },
		conditions: [
			{
				type: conditions.provisioned,
				status: "True",
				reason: "Provisioned",
				message: "",
				lastTransitionTime: "2026-01-01T00:00:00Z",
			},
		],
	},
};
const edited = (edit: (service: Service) => void): Service => {
	const service = structuredClone(served);
	edit(service);
	return service;
};

describe("what somebody undid on a Service", () => {
	it.each<[string, (service: Service) => void, string[]]>([
		["nothing, when nothing changed", () => {}, []],
		[
			"nothing, when other people's marks go",
			(service) => {
				service.metadata.finalizers = [finalizers.classless];
				delete service.metadata.annotations?.["example.com/team"];
			},
			[],
		],
		[
			"the record and the holder, when all annotations are stripped",
			(service) => {
				delete service.metadata.annotations;
			},
			[
				"annotation fairlead.dev/assigned",
				"annotation fairlead.dev/provisioned-by",
			],
		],
		[
			"the finalizer, when all are stripped",
			(service) => {
				delete service.metadata.finalizers;
			},
			["finalizer service.kubernetes.io/load-balancer-cleanup"],
		],
		[
			"ingress, when another address is put there",
			(service) => {
				service.status!.loadBalancer = { ingress: [{ ip: "198.51.100.9" }] };
			},
			["status.loadBalancer.ingress"],
		],
		[
			"all of status, when it is wiped",
			(service) => {
				delete service.status;
			},
			["status.loadBalancer.ingress", "status.conditions"],
		],
		[
			"nothing, when the type changed: the API server clears status then",
			(service) => {
				service.spec.type = "ClusterIP";
				delete service.status;
			},
			[],
		],
		[
			"nothing, when the Service is being deleted",
			(service) => {
				service.metadata.deletionTimestamp = "2026-01-01T00:00:00Z";
				delete service.metadata.finalizers;
			},
			[],
		],
		[
			"nothing, when a condition merely changed",
			(service) => {
				service.status!.conditions![0]!.status = "False";
			},
			[],
		],
	])("is %s", (_row, edit, expected) => {
		expect(undone(served, edited(edit))).toEqual(expected);
	});

	it("is nothing of ours, where another controller had set ingress and finalizer", () => {
		const theirs = edited((service) => {
			delete service.metadata.annotations;
		});
		const now = edited((service) => {
			delete service.metadata.annotations;
			delete service.metadata.finalizers;
			service.status!.loadBalancer = {};
		});
		expect(undone(theirs, now)).toEqual([]);
	});
});

describe("what somebody undid of a Service's external IPs", () => {
	const having: Service = {
		metadata: {
			name: "web",
			annotations: {
				[annotations.externalIPs]: "auto",
				[annotations.assignedExternalIPs]:
					'{"addresses":["2001:db8::1"],"pools":["a"],"number":"7"}',
			},
		},
		spec: { externalIPs: ["198.51.100.1", "2001:DB8::1"] },
	};
	it.each<[string, (service: Service) => void, string[]]>([
		[
			"nothing, when the user's own are removed and ours written another way",
			({ spec }) => {
				spec.externalIPs = ["2001:db8:0::1"];
			},
			[],
		],
		[
			"ours, when the manifest replaces them",
			({ spec }) => {
				spec.externalIPs = ["198.51.100.1"];
			},
			["spec.externalIPs"],
		],
		[
			"the record, when it is edited",
			({ metadata }) => {
				metadata.annotations = {
					...metadata.annotations,
					[annotations.assignedExternalIPs]: "",
				};
			},
			["annotation fairlead.dev/assigned-external-ips"],
		],
		[
			"nothing, when nobody asks for them any more",
			({ metadata, spec }) => {
				metadata.annotations = {};
				spec.externalIPs = [];
			},
			[],
		],
	])("%s", (_what, edit, lost) => {
		const now = structuredClone(having);
		edit(now);
		expect(undone(having, now)).toEqual(lost);
	});
});
