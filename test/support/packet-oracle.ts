import type { IPFamily } from "../../operator/api/core.ts";
import {
	evaluate,
	type Packet,
	sourceKind,
	type Verdict,
} from "../../operator/model/rules/evaluate.ts";
import type { Frontend, Program } from "../../operator/model/rules/program.ts";
import {
	type Answer,
	type PacketWorld,
	type PlaceName,
	type Question,
	SERVER_PORT,
} from "./packet-world.ts";

export const families: readonly IPFamily[] = ["IPv4", "IPv6"];
export const places = ["outside", "node", "pod-1", "pod-2", "pod-3"] as const;
export const pods = ["pod-1", "pod-2", "pod-3"] as const;

/** The first packet from a place to an address of a family, as a program sees it. */
export function packetFrom(
	world: PacketWorld,
	program: Program,
	from: PlaceName,
	to: Pick<Frontend, "address" | "protocol" | "port" | "family">,
): Packet {
	const source = world.addressOf(from, to.family);
	const own = families.map((family) => world.addressOf("node", family));
	return {
		source,
		sourceIs: sourceKind(program, source, own),
		destination: to.address,
		protocol: to.protocol,
		port: to.port,
		pick: () => 0,
	};
}

/** What the kernel may answer if the model is right; silence is no answer. */
export function answersTo(
	world: PacketWorld,
	program: Program,
	from: PlaceName,
	packet: Packet,
): (Answer | "silence")[] {
	const verdict = evaluate(program, packet);
	switch (verdict.verdict) {
		case "rejected":
			return ["refused"];
		case "dropped":
			return ["silence"];
		case "forwarded":
			return verdict.candidates.map((_, index) =>
				answerOf(world, from, nth(program, packet, verdict, index)),
			);
		default:
			throw new Error(`nobody can say what becomes of it: ${verdict.why}`);
	}
}

type Forwarded = Verdict & { verdict: "forwarded" };

/** The verdict on the same packet when the draw falls on a candidate. */
function nth(
	program: Program,
	packet: Packet,
	{ candidates }: Forwarded,
	index: number,
): Forwarded {
	const pick = () => index / candidates.length;
	const verdict = evaluate(program, { ...packet, pick });
	if (verdict.verdict !== "forwarded") throw new Error(verdict.why);
	return verdict;
}

function answerOf(
	world: PacketWorld,
	from: PlaceName,
	{ to, masquerade }: Forwarded,
): Answer {
	const by = pods.find((pod) =>
		families.some((family) => world.addressOf(pod, family) === to.address),
	);
	if (!by) throw new Error(`nobody here has ${to.address}`);
	return { by, saw: masquerade ? "node" : from };
}

/** Questions asked later, one after the other, whose answers are awaited before silence is believed. */
const patience = {
	/**
	 * Where nothing should come. A packet here is never on a wire: it is handed on, or in a CPU's queue, and a question asked
	 * later that goes there and back, over and over, is not always on another CPU. What would come after all that goes unnoticed,
	 * so that this may miss a fault and never invents one.
	 */
	expected: 10,
	/** Where something should come: a CPU may be busy with other things for long, and an answer that is late is not missing. */
	unexpected: 2_000,
};

/** What came of a question; `silence` if nothing did while others were asked and answered. */
export async function heardOf(
	world: PacketWorld,
	question: Question,
	silence: keyof typeof patience,
): Promise<Answer | "silence"> {
	let heard: Answer | undefined;
	const answer = question.answer.then((each) => {
		heard = each;
	});
	for (let left = patience[silence]; left > 0 && heard === undefined; left--) {
		const other = world.ask(
			"outside",
			"TCP",
			world.addressOf("pod-3", "IPv4"),
			SERVER_PORT,
		);
		await Promise.race([answer, other.answer]);
	}
	if (heard === undefined) question.abandon();
	return heard ?? "silence";
}
