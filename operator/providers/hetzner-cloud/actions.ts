import type { Clock } from "../../clock.ts";
import { FairleadError } from "../../errors.ts";
import type { Call } from "./diff.ts";
import type { CloudHttp } from "./http.ts";
import { oneLine } from "./refusals.ts";
import { sharedWork } from "./shared-work.ts";
import { answers, type CloudAction } from "./wire.ts";

/** Work the cloud has accepted for one balancer and not reported the end of. */
export interface RunningAction {
	id: number;
	command: string;
	/** What was asked for; undefined when another process asked. */
	call?: Call;
	/** Monotonic milliseconds. */
	since: number;
}

export interface EndedAction extends RunningAction {
	/** How it failed; undefined: it did not. */
	error?: FairleadError;
}

/** Follows actions for all balancers of one provider, with one request for all of them. */
export interface Actions {
	/** Follows an action of a balancer, unless it has ended already. Returns how it ended, if it has. */
	follow(
		balancer: number,
		action: CloudAction,
		call?: Call,
	): EndedAction | undefined;
	running(balancer: number): RunningAction[];
	/**
	 * Asks how the balancer's actions are getting on, unless that was asked a moment ago, and hands out those that have
	 * ended, each once.
	 */
	poll(balancer: number, signal: AbortSignal): Promise<EndedAction[]>;
	/** Milliseconds until another look is worth its call. */
	nextLook(balancer: number): number;
	forget(balancer: number): void;
	close(): void;
}

/** Ids in one request: the default page holds 25, the largest 50. */
const perRequest = 50;

export function createActions(
	http: CloudHttp,
	clock: Clock,
	random: () => number,
): Actions {
	const running = new Map<number, RunningAction & { balancer: number }>();
	const ended = new Map<number, EndedAction[]>();
	let polledAt = Number.NEGATIVE_INFINITY;

	const polling = sharedWork(async (signal) => {
		const ids = [...running.keys()];
		for (let at = 0; at < ids.length; at += perRequest) {
			const portion = ids.slice(at, at + perRequest);
			const { actions } = await http.call(
				{
					method: "GET",
					path: "/actions",
					query: [
						...portion.map((id): [string, string] => ["id", String(id)]),
						["per_page", String(perRequest)],
					],
					priority: "create",
					signal,
				},
				answers.actions,
			);
			const known = new Map(actions.map((action) => [action.id, action]));
			for (const id of portion) {
				const action = known.get(id);
				if (action?.status !== "running") end(id, action);
			}
		}
		polledAt = clock.monotonic();
	});

	/** An action the cloud no longer knows has ended long ago; how, the balancer itself shows. */
	function end(id: number, action: CloudAction | undefined): void {
		const entry = running.get(id);
		if (!entry) return;
		running.delete(id);
		const { balancer, ...rest } = entry;
		const list = ended.get(balancer) ?? [];
		list.push(action ? withError(rest, action) : { ...rest });
		ended.set(balancer, list);
	}

	function of(balancer: number): RunningAction[] {
		return [...running.values()].filter((each) => each.balancer === balancer);
	}

	return {
		follow(balancer, action, call) {
			const entry: RunningAction = {
				id: action.id,
				command: action.command,
				since: clock.monotonic(),
				...(call ? { call } : {}),
			};
			if (action.status !== "running") return withError(entry, action);
			// One that is followed already is known better than by another look at it.
			if (!running.has(action.id))
				running.set(action.id, { ...entry, balancer });
			return undefined;
		},
		running: of,
		async poll(balancer, signal) {
			const heard = of(balancer).map(({ since }) => Math.max(since, polledAt));
			const pause = Math.max(lookAfter(0) / 2, http.pace());
			const stale = clock.monotonic() - Math.min(...heard) >= pause;
			if (heard.length > 0 && stale) await polling.join(signal);
			const list = ended.get(balancer) ?? [];
			ended.delete(balancer);
			return list;
		},
		nextLook(balancer) {
			const ages = of(balancer).map((each) => clock.monotonic() - each.since);
			const pause = Math.max(lookAfter(Math.max(0, ...ages)), http.pace());
			return Math.round(pause * (1 + random() / 4));
		},
		forget(balancer) {
			for (const each of of(balancer)) running.delete(each.id);
			ended.delete(balancer);
		},
		close: () => polling.close(),
	};
}

/** Most actions end within seconds; one that does not is asked about ever more seldom. */
function lookAfter(ageMs: number): number {
	return Math.min(10_000, Math.max(500, ageMs / 2));
}

function withError(entry: RunningAction, action: CloudAction): EndedAction {
	if (action.status !== "error") return entry;
	const said = action.error
		? `${action.error.message} (${action.error.code})`
		: "the cloud did not say why";
	return {
		...entry,
		error: new FairleadError(
			"CloudActionFailed",
			oneLine(`${action.command} failed: ${said}`),
		),
	};
}
