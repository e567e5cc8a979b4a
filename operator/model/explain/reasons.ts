import { errors } from "../../errors.ts";
import type { ReasonCode } from "../addresses/reasons.ts";
import type { RefusalReason } from "../refusals.ts";
import { furtherReasons, type ReasonEntry } from "./further-reasons.ts";

export type { ReasonEntry };

/** Reasons of every refusal to own a Service, and of every refusal of an address, must be here: the compiler sees to it. */
type Required = RefusalReason | ReasonCode;

/**
 * Every reason that conditions and `fairlead explain` give, beside the codes of errors (operator/errors.ts), which they
 * give as they are. docs/reference/explain.md holds the same table; a test keeps the two the same.
 */
export const reasons = {
	NotLoadBalancer: {
		step: "Ownership",
		meaning: "The Service is not of type LoadBalancer.",
		help: "Set spec.type to LoadBalancer if it is to have an address.",
	},
	NoDefaultClass: {
		step: "Ownership",
		meaning:
			"The Service names no loadBalancerClass and no BalancerClass is default.",
		help: "Set spec.default of one BalancerClass, or recreate the Service with loadBalancerClass: fairlead.dev/NAME.",
	},
	OtherController: {
		step: "Ownership",
		meaning: "The Service names the loadBalancerClass of another controller.",
		help: "Ask that controller; a loadBalancerClass cannot be changed, so recreate the Service to give it to Fairlead.",
	},
	UnknownClass: {
		step: "Ownership",
		meaning: "There is no BalancerClass of that name.",
		help: "Create the BalancerClass, or recreate the Service with another class.",
	},
	AmbiguousDefaultClass: {
		step: "Ownership",
		meaning: "Several BalancerClasses are default.",
		help: "Leave spec.default true on one of them.",
	},
	ProviderUnavailable: {
		step: "Ownership",
		meaning: "The provider of the class is not part of this version.",
		help: "Use a class with another provider.",
	},
	ClassDeleting: {
		step: "Ownership",
		meaning: "The class is being deleted and takes no new Services.",
		help: "Create the class again once it is gone, or recreate the Service with another class.",
	},
	ClaimedByAnother: {
		step: "Ownership",
		meaning: "Another controller serves the Service already.",
		help: "Let one controller take Services without a class, or recreate the Service with a loadBalancerClass.",
	},
	ClassFound: {
		step: "Ownership",
		meaning: "A BalancerClass serves the Service.",
	},
	Assigned: { step: "Address", meaning: "The address is recorded." },
	PoolFull: {
		step: "Address",
		meaning: "Every address of the pool is taken or held back.",
		help: "Add addresses to the pool, or free some.",
	},
	NoAddressesOfFamily: {
		step: "Address",
		meaning: "The pool has no addresses of a family the Service wants.",
		help: "Add addresses of that family to a pool, or change ipFamilies of the Service.",
	},
	NamespaceNotAdmitted: {
		step: "Address",
		meaning: "The pool's namespaceSelector does not admit the namespace.",
		help: "Label the namespace, or change the selector.",
	},
	ServiceNotAdmitted: {
		step: "Address",
		meaning: "The pool's serviceSelector does not admit the Service.",
		help: "Label the Service, or change the selector.",
	},
	ClassNotAdmitted: {
		step: "Address",
		meaning: "The pool's classes do not include the Service's class.",
		help: "Add the class to spec.classes of the pool.",
	},
	UseNotAdmitted: {
		step: "Address",
		meaning: "The pool is for other uses.",
		help: "Add the use to spec.uses of the pool.",
	},
	AutoAssignOff: {
		step: "Address",
		meaning: "The pool serves only those who ask for it.",
		help: "Ask for the pool by annotation fairlead.dev/pool.",
	},
	PoolNotRequested: {
		step: "Address",
		meaning: "The Service asks for another pool.",
		help: "Change annotation fairlead.dev/pool of the Service.",
	},
	PoolNotFound: {
		step: "Address",
		meaning: "The Service asks for a pool that does not exist.",
		help: "Create the AddressPool, or change annotation fairlead.dev/pool.",
	},
	NoPools: {
		step: "Address",
		meaning: "There is no AddressPool at all.",
		help: "Create an AddressPool.",
	},
	NoAddressAvailable: {
		step: "Address",
		meaning: "No pool gives an address, each for a reason of its own.",
		help: "Look at the list of pools: remedy the one the Service should draw from.",
	},
	AddressInUse: {
		step: "Address",
		meaning:
			"Another Service holds the address asked for and cannot share it with this one.",
		help: "Ask for another address, or give both the same sharing key and different ports.",
	},
	AddressHeld: {
		step: "Address",
		meaning:
			"The address is kept for somebody else, or not free yet after its last holder left.",
		help: "Wait, or ask for another address; a reservation can be deleted.",
	},
	AddressReserved: {
		step: "Address",
		meaning: "An AddressReservation keeps the address for somebody else.",
		help: "Ask for another address, or change the AddressReservation.",
	},
	AddressAvoided: {
		step: "Address",
		meaning: "avoidFirstAndLast leaves the address out.",
		help: "Ask for another address, or turn avoidFirstAndLast off.",
	},
	AddressNotInPool: {
		step: "Address",
		meaning: "No pool that the Service may use has the address asked for.",
		help: "Add the address to a pool, or ask for another.",
	},
	AddressInvalid: {
		step: "Address",
		meaning: "What the Service asks for is no address.",
		help: "Correct the annotation or field that the message names.",
	},
	PoolGone: {
		step: "Address",
		meaning: "The address is kept, though its pool does not exist any more.",
		help: "Create a pool with the address again, or recreate the Service to move it.",
	},
	OutsidePool: {
		step: "Address",
		meaning: "The address is kept, though its pool no longer has it.",
		help: "Give the address back to a pool, or recreate the Service to move it.",
	},
	RequestConflict: {
		step: "Address",
		meaning: "The Service asks for two things that contradict each other.",
		help: "Remove one of the two that the message names.",
	},
	FamilyNotWanted: {
		step: "Address",
		meaning: "The address asked for is of a family the Service does not have.",
		help: "Change ipFamilies of the Service, or ask for an address of its family.",
	},
	Guarded: {
		step: "Guard",
		meaning: "Finalizer and record stand before anything is made.",
	},
	NothingToGuard: {
		step: "Guard",
		meaning: "The provider makes nothing that would have to be undone.",
	},
	Provisioned: {
		step: "Provider",
		meaning: "The provider has configured every port.",
	},
	KeptAsMade: {
		step: "Provider",
		meaning:
			"The balancer serves, and something that cannot be changed later is as it was made.",
	},
	Provisioning: {
		step: "Provider",
		meaning: "The controller or the provider is at work.",
	},
	PortsRefused: {
		step: "Provider",
		meaning: "The provider cannot serve one or more ports.",
		help: "The message says which and why; the others serve.",
	},
	TargetsRefused: {
		step: "Provider",
		meaning: "The provider cannot use one or more nodes.",
		help: "The message says which and why; the others serve.",
	},
	NodePortMissing: {
		step: "Provider",
		meaning:
			"The provider sends traffic to NodePorts, and a port of the Service has none.",
		help: "Set allocateLoadBalancerNodePorts to true.",
		condition: "PortsRefused",
	},
	NoNodes: {
		step: "Serving",
		meaning: "No node may be a target.",
		help: "Remove the exclude label or the taint from a node, or add one.",
	},
	Programmed: {
		step: "Programmed",
		meaning: "The nodes that matter carry the address.",
	},
	NodesLagging: {
		step: "Programmed",
		meaning: "Some nodes have not programmed the address yet.",
		help: "Look at the agents of the nodes that the message names.",
	},
	RefusedByNodes: {
		step: "Programmed",
		meaning: "Some nodes cannot carry the address as it should be.",
		help: "The message says which and why; the others carry it.",
	},
	Programming: {
		step: "Programmed",
		meaning: "Nodes are taking the address into their rules.",
	},
	Unassigned: {
		step: "Programmed",
		meaning: "There is no address that nodes could program.",
		help: "An earlier step says why.",
	},
	NoReadyNodes: {
		step: "Programmed",
		meaning:
			"No node with a live Fairlead agent is ready and takes traffic of balancers.",
		help: "Look at the nodes and at the agents on them.",
	},
	AgentsWithoutRules: {
		step: "Programmed",
		meaning:
			"Fairlead's agents leave the rules alone; kube-proxy, or what stands in for it, carries the address and does not report.",
	},
	NoAgents: {
		step: "Programmed",
		meaning:
			"No Fairlead agent runs; kube-proxy, or what stands in for it, carries the address and does not report.",
	},
	IngressWritten: {
		step: "Ingress",
		meaning: "status.loadBalancer.ingress shows the address.",
	},
	ForeignIngress: {
		step: "Ingress",
		meaning:
			"Somebody else wrote an address into the status: another controller also serves Services without a class.",
		help: "Turn off the other controller (k3s ServiceLB, MetalLB, a cloud controller), or name a loadBalancerClass.",
	},
	EndpointsReady: { step: "Serving", meaning: "Endpoints are ready." },
	NoReadyEndpoints: {
		step: "Serving",
		meaning: "No endpoint of the Service is ready.",
		help: "Look at the pods: kubectl get pods with the Service's selector.",
	},
	SelectorMatchesNothing: {
		step: "Serving",
		meaning: "The selector of the Service matches no pod.",
		help: "Compare spec.selector with the labels of the pods.",
		condition: "NoReadyEndpoints",
	},
	NoSelector: {
		step: "Serving",
		meaning: "The Service has no selector, and nobody wrote EndpointSlices.",
		help: "Add a selector, or write EndpointSlices for the Service.",
		condition: "NoReadyEndpoints",
	},
	NoLocalEndpoints: {
		step: "Serving",
		meaning:
			"externalTrafficPolicy is Local, and no node that takes traffic has a ready endpoint.",
		help: "Run a pod on such a node, or set externalTrafficPolicy to Cluster.",
		condition: "EndpointsReady",
	},
	NotProgrammed: {
		step: "Serving",
		meaning: "The nodes have not programmed the address yet.",
		help: "The step Programmed says which.",
	},
	NotProvisioned: {
		step: "Serving",
		meaning: "No balancer carries traffic for the Service.",
		help: "An earlier step says why.",
	},
	...furtherReasons,
	Deleting: {
		step: "Undo",
		meaning: "What the provider holds for the Service is being deleted.",
	},
	ClassGone: {
		step: "Undo",
		meaning:
			"The class that holds the Service's balancer is gone, and with it how to reach it.",
		help: "Create the class again, or remove the finalizer to leave the balancer behind.",
	},
	Moving: {
		step: "Undo",
		meaning:
			"Another class serves the Service now; what the old one holds goes first.",
	},
	NothingHeld: {
		step: "Undo",
		meaning: "Nothing is held for the Service any more.",
	},
	ForeignFinalizer: {
		step: "Finalizers",
		meaning: "A finalizer of somebody else holds the deletion up.",
		help: "Ask the controller the finalizer belongs to; remove the finalizer only if that controller is gone.",
	},
	NoFinalizers: {
		step: "Finalizers",
		meaning: "No finalizer holds the deletion up.",
	},
	ControllerAbsent: {
		step: "Ownership",
		meaning: "It is the controller's turn, and none runs.",
		help: "Start fairlead controller; one with --no-leader-elect holds no Lease and is not seen here.",
	},
	ControllerExpired: {
		step: "Ownership",
		meaning:
			"It is the controller's turn, and its Lease has not been renewed for too long.",
		help: "Look at the controller's pods and their logs.",
	},
	ControllerSilent: {
		step: "Ownership",
		meaning: "The controller runs and has not written anything on the Service.",
		help: "If it lasts: look at /readyz and the log of the controller; its RBAC may not let it patch services/status.",
	},
	KindMissing: {
		step: "Ownership",
		meaning: "A kind of group fairlead.dev is not installed.",
		help: "Apply crds/, or install the chart.",
	},
	KindUnreadable: {
		step: "Ownership",
		meaning: "A kind that the explanation needs cannot be read.",
		help: "Grant the verb list on what the message names to whoever runs the command.",
	},
	NotReached: {
		step: "Ownership",
		meaning: "The step comes after one that is not done.",
	},
} as const satisfies Record<string, ReasonEntry> &
	Record<Required, ReasonEntry>;

export type ReasonName = keyof typeof reasons;

/** What to do about a reason, be it one of the above or the code of an error; undefined where there is nothing to do. */
export function helpFor(reason: string): string | undefined {
	if (Object.hasOwn(reasons, reason))
		return (reasons[reason as ReasonName] as ReasonEntry).help;
	return Object.hasOwn(errors, reason)
		? errors[reason as keyof typeof errors].help
		: undefined;
}
