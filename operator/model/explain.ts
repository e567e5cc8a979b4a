import { conditions } from "../api/names.ts";
import {
	explainProgrammed,
	mayShow,
	type Programming,
	programmingFor,
} from "./agents.ts";
import { assignedMessage, vouchedAssignmentOf } from "./assignment.ts";
import type { ObservedBalancer, ObservedPort } from "./balancer/balancer.ts";
import type { Verdict } from "./conditions.ts";
import { ignoredWishes } from "./ignored-wishes.ts";
import type { OwnWorld, World } from "./world.ts";

/**
 * The reasons, in one place: what conditions, events, command line and dashboard say of a Service that is ours. Always
 * all four conditions. Messages hold nothing that changes by itself (counts, times), or every change would be a write.
 */
export function explain(world: World): Verdict[] {
	if (world.ownership.kind === "Refused")
		return refused(world, world.ownership.reason, world.ownership.message);
	if (!world.ours) return [];
	if (world.ours.addressing.kind === "Refused")
		return refused(
			world,
			world.ours.addressing.reason,
			world.ours.addressing.message,
		);
	const provisioned = explainProvisioned(world, world.ours);
	const programming = programmingFor(world, addressesOf(world, world.ours));
	return [
		explainAddress(world, world.ours),
		provisioned,
		explainProgrammed(programming),
		explainServing(world, provisioned, programming),
	];
}

/** What is said while a balancer is being taken away; the Service may live on as another type. */
export function explainLeaving(world: World): Verdict[] {
	const { outcome } = world;
	if (outcome.kind === "Failed")
		return [
			verdict(
				conditions.provisioned,
				"False",
				outcome.code,
				`the balancer could not be deleted yet: ${outcome.message}`,
			),
		];
	return [];
}

/** Ports of an observed balancer that nobody serves. */
export function refusedPorts(balancer: ObservedBalancer): ObservedPort[] {
	return balancer.ports.filter((port) => port.state === "Refused");
}

/** Names the port once: providers whose messages stand alone do so themselves. */
function refusalText({
	port,
	protocol,
	message,
	reason,
}: ObservedPort): string {
	const name = `port ${port}/${protocol}`;
	const why = message ?? reason ?? "refused";
	return why.startsWith(name) ? why : `${name}: ${why}`;
}

function refused(world: World, reason: string, message: string): Verdict[] {
	return [
		verdict(conditions.addressAssigned, "False", reason, message),
		verdict(conditions.provisioned, "False", reason, message),
		explainProgrammed(programmingFor(world, [])),
		verdict(
			conditions.serving,
			"False",
			"NotProvisioned",
			"no balancer carries traffic for this Service",
		),
	];
}

/** As far as they are known. */
function addressesOf(
	{ outcome, service }: World,
	{ addressing }: OwnWorld,
): string[] {
	if (addressing.kind === "Pools") return addressing.assignment.addresses;
	return outcome.kind === "Observed"
		? outcome.balancer.addresses
		: (vouchedAssignmentOf(service)?.addresses ?? []);
}

function explainAddress(world: World, ours: OwnWorld): Verdict {
	const { outcome } = world;
	const addresses = addressesOf(world, ours);
	const notice =
		ours.addressing.kind === "Pools" ? ours.addressing.notice : undefined;
	if (addresses.length > 0)
		return verdict(
			conditions.addressAssigned,
			"True",
			notice?.reason ?? "Assigned",
			[
				assignedMessage(addresses, origin(world, ours)),
				...(notice ? [notice.message] : []),
				...ignored(world),
			].join("; "),
		);
	if (outcome.kind === "Failed")
		return verdict(
			conditions.addressAssigned,
			"False",
			outcome.code,
			outcome.message,
		);
	return verdict(
		conditions.addressAssigned,
		"False",
		"Provisioning",
		`waiting for an address (${origin(world, ours)})`,
	);
}

function ignored({ service, ownership }: World): string[] {
	return ownership.kind === "Ours"
		? ignoredWishes(service, ownership.class.spec.provider)
		: [];
}

/** Where a Service's balancer comes from, for people. */
function origin(world: World, ours: OwnWorld): string {
	const { ownership } = world;
	if (ownership.kind !== "Ours") return "";
	const pools =
		ours.addressing.kind === "Pools" ? ours.addressing.assignment.pools : [];
	const named = (pools ?? []).filter((pool) => pool !== "");
	const from = [...new Set(named)].map((pool) => `pool ${pool}`);
	return [...from, `class ${ownership.class.metadata.name}`].join(", ");
}

function explainProvisioned(world: World, ours: OwnWorld): Verdict {
	const { outcome } = world;
	const { provisioned } = conditions;
	if (outcome.kind === "Failed")
		return verdict(provisioned, "False", outcome.code, outcome.message);
	if (outcome.kind !== "Observed")
		return verdict(
			provisioned,
			"False",
			"Provisioning",
			`the balancer is being made (${origin(world, ours)})`,
		);
	const { balancer } = outcome;
	if (balancer.pending)
		return verdict(
			provisioned,
			"False",
			"Provisioning",
			`balancer ${balancer.id}: waiting for ${balancer.pending.waitingFor}`,
		);
	const bad = refusedPorts(balancer);
	if (bad.length > 0)
		return verdict(
			provisioned,
			"False",
			"PortsRefused",
			bad.map(refusalText).join("; "),
		);
	if (balancer.targetProblems.length > 0)
		return verdict(
			provisioned,
			"False",
			"TargetsRefused",
			balancer.targetProblems
				.map((problem) => `node ${problem.node}: ${problem.message}`)
				.join("; "),
		);
	const made = `balancer ${balancer.id} (${origin(world, ours)})`;
	return balancer.kept === undefined
		? verdict(provisioned, "True", "Provisioned", made)
		: verdict(provisioned, "True", "KeptAsMade", `${made}: ${balancer.kept}`);
}

function explainServing(
	world: World,
	provisioned: Verdict,
	programming: Programming,
): Verdict {
	const { serving } = conditions;
	const hasIngress =
		(world.service.status?.loadBalancer?.ingress ?? []).length > 0;
	const configured =
		world.outcome.kind === "Observed" &&
		world.outcome.balancer.ports.some((port) => port.state === "Configured") &&
		!world.outcome.balancer.pending;
	if (!configured && !hasIngress)
		return verdict(
			serving,
			"False",
			"NotProvisioned",
			provisioned.message || "no balancer carries traffic for this Service",
		);
	if (!hasIngress && !mayShow(programming))
		return verdict(
			serving,
			"False",
			"NotProgrammed",
			explainProgrammed(programming).message,
		);
	if (world.ours?.needsUndo && world.ours.desired.targets.length === 0)
		return verdict(
			serving,
			"False",
			"NoNodes",
			"no node may be a target: all are excluded, going away, or there is none",
		);
	if (!world.readyEndpoints)
		return verdict(
			serving,
			"False",
			"NoReadyEndpoints",
			"no endpoint of the Service is ready; check its selector and its pods",
		);
	return verdict(
		serving,
		"True",
		"EndpointsReady",
		"the balancer is configured and the Service has ready endpoints",
	);
}

function verdict(
	type: string,
	status: Verdict["status"],
	reason: string,
	message: string,
): Verdict {
	return { type, status, reason, message };
}
