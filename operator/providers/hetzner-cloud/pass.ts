import type { Clock } from "../../clock.ts";
import {
	type ErrorCode,
	FairleadError,
	isFairleadError,
} from "../../errors.ts";
import type { Actions } from "./actions.ts";
import {
	type Call,
	type Change,
	diff,
	effect,
	touches,
	type WantedBalancer,
} from "./diff.ts";
import type { CloudHttp } from "./http.ts";
import type { Inventory, Known, Look } from "./inventory.ts";
import { type PartKey, serviceKey, targetKey } from "./ownership.ts";
import { cloudRefusal, mayHaveHappened } from "./refusals.ts";
import type { Refusal } from "./wanted.ts";
import { answers, type CloudService, type OwnTarget } from "./wire.ts";

/** Stands for the balancer's type among the parts a cloud may refuse. */
export const typePart: PartKey = "type";

/** How far one pass got. */
export interface Passed {
	known: Known;
	/** Parts that are not as wanted because the cloud would not, or because somebody else's listener is in the way. */
	refused: Map<PartKey, Refusal>;
	/** The cloud is working on the balancer, for us or for somebody else: what for. */
	waitingFor?: string;
}

/** Brings balancers that are there to what is wanted of them, as far as one pass gets. */
export interface Passes {
	run(
		uid: string,
		known: Known,
		wanted: WantedBalancer,
		batchTargets: boolean,
		look: Look,
	): Promise<Passed>;
}

/** How long a part the cloud refused is not asked for again, unless something changes. */
const refusalMs = 5 * 60_000;

/**
 * How late a call may land that another process, paused since or dead, had on its way when it led: it adds a part that is
 * then known for ours, and goes again. Longer than any connection keeps what was sent.
 */
const lateMs = 5 * 60_000;

/** What concerns the one part a call is about, not the token, the cloud or the way there. */
const aboutOnePart: ErrorCode[] = [
	"CloudRefused",
	"CloudNotFound",
	"CloudQuota",
	"CloudNameTaken",
	"CloudActionFailed",
];

/** Refusals that say our picture of the balancer is not the cloud's. */
const outdated = new Set([
	"not_found",
	"target_already_defined",
	"source_port_already_used",
]);

export function createPasses(
	http: CloudHttp,
	inventory: Inventory,
	actions: Actions,
	clock: Clock,
): Passes {
	/** Takes in what became of the work of earlier passes. */
	async function collect(known: Known, look: Look): Promise<void> {
		let failure: FairleadError | undefined;
		for (const { call, error } of await actions.poll(
			known.balancer.id,
			look.signal,
		)) {
			// What another process asked for, and what is left of a failure, only the balancer itself can show.
			if (!call || error) known.stale = true;
			if (!error) continue;
			if (call?.do === "add_targets" || call?.do === "change_type")
				refuse(known, call, error);
			else failure = error;
		}
		if (failure) throw failure;
	}

	function refuse(known: Known, call: Call, error: FairleadError): void {
		const portTaken = cloudRefusal(error)?.code === "source_port_already_used";
		const parts = call.do === "change_type" ? [typePart] : touches(call);
		for (const part of parts)
			known.refusals.set(part, {
				reason: portTaken ? "PortTaken" : error.code,
				message: error.message,
				until: clock.monotonic() + refusalMs,
			});
	}

	/** `wanted` without what the cloud would not do a moment ago. */
	function possible(known: Known, wanted: WantedBalancer): WantedBalancer {
		const { refusals, balancer, ours } = known;
		for (const [part, { until }] of refusals)
			if (until <= clock.monotonic()) refusals.delete(part);
		if (refusals.size === 0) return wanted;
		const present = new Map(
			balancer.services.map((each) => [serviceKey(each), each]),
		);
		/** A listener of ours whose change was refused stays as it is. */
		const stays = (service: CloudService): CloudService[] => {
			const key = serviceKey(service);
			if (!refusals.has(key)) return [service];
			const there = present.get(key);
			return there && ours.has(key) ? [there] : [];
		};
		const { type, ...rest } = wanted;
		return {
			...rest,
			...(type === undefined || refusals.has(typePart) ? {} : { type }),
			services: wanted.services.flatMap(stays),
			targets: wanted.targets.filter(
				(each) => !refusals.has(targetKey(each) as PartKey),
			),
		};
	}

	/** Entries in the list of our parts that are kept for the sake of calls that may land late. */
	function lingering(known: Known, wanted: WantedBalancer): Set<PartKey> {
		const { unwanted, ours } = known;
		const now = clock.monotonic();
		const keep = new Set([
			...wanted.services.map(serviceKey),
			...wanted.targets.map((each) => targetKey(each) as PartKey),
		]);
		const gone = [...ours].filter((key) => !keep.has(key));
		for (const key of unwanted.keys())
			if (!gone.includes(key)) unwanted.delete(key);
		for (const key of gone) if (!unwanted.has(key)) unwanted.set(key, now);
		return new Set(
			gone.filter((key) => now - (unwanted.get(key) ?? now) < lateMs),
		);
	}

	async function send(
		uid: string,
		known: Known,
		call: Change,
		look: Look,
	): Promise<void> {
		const path = `/load_balancers/${known.balancer.id}`;
		if (call.do === "update") {
			const { load_balancer } = await http.call(
				{
					method: "PUT",
					path,
					body: { name: call.name, labels: call.labels },
					...look,
				},
				answers.balancer,
			);
			inventory.put(uid, load_balancer);
			return;
		}
		const { command, body } = request(call);
		const { action } = await http.call(
			{ method: "POST", path: `${path}/actions/${command}`, body, ...look },
			answers.action,
		);
		const ended = actions.follow(known.balancer.id, action, call);
		if (ended?.error) throw ended.error;
		inventory.expect(uid, effect(known.balancer, call));
		if (call.do !== "delete_service" && call.do !== "remove_targets") return;
		// There is room for what did not fit before.
		for (const [part, { reason }] of known.refusals)
			if (reason === "CloudQuota") known.refusals.delete(part);
	}

	async function reread(uid: string, known: Known, look: Look): Promise<void> {
		if (!(await inventory.reread(uid, look))) throw gone(known);
	}

	return {
		async run(uid, known, wanted, batchTargets, look) {
			await collect(known, look);
			if (known.stale) await reread(uid, known, look);
			let batch = batchTargets;
			let lookedAgain = false;
			let fresh = false;
			const sent = new Set<string>();
			const passed = (taken: CloudService[], waitingFor?: string): Passed => ({
				known,
				refused: refusedOf(known, taken),
				...(waitingFor === undefined ? {} : { waitingFor }),
			});
			for (;;) {
				const now = possible(known, wanted);
				const { calls, taken } = diff(
					known.balancer,
					now,
					known.ours,
					batch,
					lingering(known, now),
				);
				// The cloud locks a balancer while it works on it; see its error `locked`.
				const [running] = actions.running(known.balancer.id);
				if (running)
					return passed(
						taken,
						`the cloud to finish ${running.command} (action ${running.id})`,
					);
				const [call] = calls;
				if (!call) return passed(taken);
				const print = JSON.stringify(call);
				// A PUT replaces all labels, those included that somebody set since they were last read.
				if (call.do === "update" && !fresh && !inventory.isFresh(uid)) {
					fresh = true;
					if (!(await inventory.refresh(uid, look))) throw gone(known);
					continue;
				}
				fresh = false;
				if (sent.has(print)) {
					known.stale = true;
					return passed(
						taken,
						`the cloud to show the ${call.do} it accepted for balancer ${known.balancer.id}`,
					);
				}
				sent.add(print);
				try {
					await send(uid, known, call, look);
				} catch (error) {
					const busy = isFairleadError(error, "CloudBusy");
					if (busy || mayHaveHappened(error) || look.signal.aborted) {
						// The cloud is, or may be, at work we know nothing of.
						known.stale = true;
						known.unsure = true;
					}
					if (busy)
						return passed(
							taken,
							`the cloud to finish other work on balancer ${known.balancer.id}`,
						);
					if (!isFairleadError(error, ...aboutOnePart)) throw error;
					const failed = error.code === "CloudActionFailed";
					if (failed) await reread(uid, known, look);
					else if (
						!lookedAgain &&
						outdated.has(cloudRefusal(error)?.code ?? "")
					) {
						lookedAgain = true;
						sent.delete(print);
						await reread(uid, known, look);
						continue;
					}
					if (call.do === "add_targets" && call.targets.length > 1)
						batch = false;
					else if (adds(call)) refuse(known, call, error);
					else throw error;
				}
			}
		},
	};
}

function gone({ balancer }: Known): FairleadError {
	return new FairleadError(
		"CloudNotFound",
		`balancer ${balancer.id} is gone from the cloud; the next pass makes another`,
	);
}

function adds(call: Change): boolean {
	return (
		call.do === "add_targets" ||
		call.do === "add_service" ||
		call.do === "update_service" ||
		call.do === "change_type"
	);
}

function refusedOf(known: Known, taken: CloudService[]): Map<PartKey, Refusal> {
	const refused = new Map<PartKey, Refusal>(known.refusals);
	for (const service of taken)
		refused.set(serviceKey(service), {
			reason: "PortTaken",
			message: `port ${service.listen_port} of balancer ${known.balancer.id} is held by a listener that is not Fairlead's; remove it or choose another port`,
		});
	return refused;
}

/** A change as the wire has it. Source: docs.hetzner.cloud, Load Balancer Actions. */
function request(call: Exclude<Change, { do: "update" }>): {
	command: string;
	body: unknown;
} {
	switch (call.do) {
		case "change_algorithm":
			return { command: call.do, body: { type: call.type } };
		case "change_type":
			return {
				command: call.do,
				body: { load_balancer_type: call.type },
			};
		case "add_service":
		case "update_service":
			return { command: call.do, body: call.service };
		case "delete_service": {
			const { listen_port, protocol } = call.service;
			// On the wire the port alone names a listener; UDP beside TCP is an extension.
			return {
				command: call.do,
				body:
					protocol === "udp" || protocol === "sctp"
						? { listen_port, protocol }
						: { listen_port },
			};
		}
		case "add_targets":
		case "remove_targets": {
			const bodies =
				call.do === "add_targets" ? call.targets : call.targets.map(named);
			return bodies.length === 1
				? { command: call.do.slice(0, -1), body: bodies[0] }
				: { command: call.do, body: { targets: bodies } };
		}
	}
}

/** What names a target that is to go. */
function named(target: OwnTarget): unknown {
	return target.type === "server"
		? { type: target.type, server: target.server }
		: target;
}
