import type {
	Answer,
	PacketWorld,
	PlaceName,
	Question as PacketQuestion,
} from "../support/packet-world.ts";
import type { Asked } from "./kube-proxy-differential-desk.ts";
import type { Side } from "./kube-proxy-differential-side.ts";
import {
	expectedAnswers,
	type Outcome,
	type Question,
} from "./kube-proxy-differential-subject.ts";

/** Of a row that is answered: often enough that an endpoint too many shows, and until each that should answer has. */
const FEWEST_QUESTIONS = 13;
const MOST_QUESTIONS = 321;
/** After the first; at once. */
const QUESTIONS_A_ROUND = 4;
/** So many rows are asked at once. */
const ROWS_AT_ONCE = 100;

/** A question of one row to one world. */
export interface Inquiry {
	asked: Asked;
	question: Question;
	/** Only for how long is asked: what is expected never becomes what is found. */
	expected: Outcome;
}

/** Asks the questions of each row again and again, and resolves with the outcome of each, in their order. */
export async function outcomes(
	side: Side,
	inquiries: readonly Inquiry[],
): Promise<Outcome[]> {
	const { world } = side;
	const found: Outcome[] = [];
	for (let from = 0; from < inquiries.length; from += ROWS_AT_ONCE) {
		const runs = inquiries
			.slice(from, from + ROWS_AT_ONCE)
			.map((inquiry) => new Run(world, inquiry));
		for (;;) {
			const asking = runs.filter((run) => run.ask());
			if (asking.length === 0) break;
			await quiet(world, () =>
				asking.reduce((sum, { answered }) => sum + answered, 0),
			);
			const strays = side.strays();
			await Promise.all(asking.map((run) => run.giveUp(strays)));
		}
		found.push(...runs.map((run) => run.outcome()));
	}
	return found;
}

/**
 * Resolves when nobody is answered any more: while the same wires carried questions and answers that were sent later, the
 * count stood still.
 */
async function quiet(world: PacketWorld, answered: () => number) {
	for (;;) {
		const before = answered();
		await useEveryWire(world);
		if (answered() === before) return;
	}
}

class Run {
	answered = 0;
	readonly #world: PacketWorld;
	readonly #inquiry: Inquiry;
	readonly #heard = new Set<string>();
	/** And the flow they make. */
	readonly #open = new Map<PacketQuestion, string>();
	#asked = 0;
	#slow = false;

	constructor(world: PacketWorld, inquiry: Inquiry) {
		this.#world = world;
		this.#inquiry = inquiry;
	}

	/** Asks a round of questions; false if it knows enough. */
	ask(): boolean {
		if (this.#asked > 0 && this.#knowsEnough()) return false;
		const times = this.#asked === 0 ? 1 : QUESTIONS_A_ROUND;
		for (let time = 0; time < times; time++) this.#askOnce();
		return true;
	}

	/**
	 * What has not been answered never will be; but a refusal by ICMP over IPv6 that comes while Linux still sends its SYN
	 * is lost on it, and only that of the next SYN, after a second, counts.
	 */
	async giveUp(strays: ReadonlySet<string>): Promise<void> {
		const { expected, question: row } = this.#inquiry;
		for (const [question, flow] of this.#open) {
			const strayed = strays.has(flow);
			if (!strayed && expected === "refused" && row.protocol === "TCP") {
				this.#slow = true;
				await question.answer;
				continue;
			}
			this.#open.delete(question);
			question.abandon();
			this.#heard.add(strayed ? "wanders" : "dropped");
		}
	}

	outcome(): Outcome {
		const heard = [...this.#heard].sort();
		const { answers, always } = expectedAnswers(this.#inquiry.expected);
		const [one, ...others] = heard;
		// Which of them it is, affinity leaves open.
		if (always && others.length === 0 && one && answers.includes(one))
			return this.#inquiry.expected;
		return heard.join(", ");
	}

	#knowsEnough(): boolean {
		if (this.#heard.has("dropped") || this.#heard.has("wanders")) return true;
		if (this.#asked >= MOST_QUESTIONS) return true;
		const { expected } = this.#inquiry;
		const { answers, always } = expectedAnswers(expected);
		// Chance has no part in it.
		if (expected === "refused")
			return this.#slow || this.#asked >= 1 + QUESTIONS_A_ROUND;
		return (
			this.#asked >= FEWEST_QUESTIONS &&
			(always || answers.every((each) => this.#heard.has(each)))
		);
	}

	#askOnce(): void {
		const { question: row } = this.#inquiry;
		const { host, port } = whither(this.#world, this.#inquiry, this.#asked++);
		const question = this.#world.ask(row.from, row.protocol, host, port);
		const from = this.#world.addressOf(row.from, row.family);
		this.#open.set(
			question,
			`${from} ${host} ${row.protocol} ${port}`.toUpperCase(),
		);
		void question.answer.then((answer) => {
			// What is abandoned ends too.
			if (!this.#open.delete(question)) return;
			this.answered++;
			this.#heard.add(said(answer));
		});
	}
}

function said(answer: Answer): string {
	if (typeof answer === "string") return answer;
	return "by" in answer ? `${answer.by} sees ${answer.saw}` : answer.error;
}

/** Questions in a row go to a Service's external IPs in turn. */
function whither(
	world: PacketWorld,
	{ asked: { service, addresses }, question }: Inquiry,
	number: number,
): { host: string; port: number } {
	const { family, port, protocol, target } = question;
	const { clusterIPs = [], ports = [] } = service.spec;
	const given = (host: string | undefined) => {
		if (host === undefined)
			throw new RangeError(
				`${service.metadata.name} has no ${target} ${family}`,
			);
		return host;
	};
	switch (target) {
		case "ClusterIP":
			return {
				host: given(
					clusterIPs.find((each) => each.includes(":") === (family === "IPv6")),
				),
				port,
			};
		case "NodePort": {
			const known = ports.find(
				(each) => each.port === port && each.protocol === protocol,
			);
			if (!known?.nodePort)
				throw new RangeError(`${service.metadata.name} has no node port`);
			return { host: world.addressOf("node", family), port: known.nodePort };
		}
		case "ingress":
			return { host: addresses.ingress[family], port };
		case "externalIP": {
			const own = addresses.externalIPs[family];
			return { host: given(own[number % own.length]), port };
		}
	}
}

const wires: readonly [from: PlaceName, to: PlaceName][] = [
	["outside", "pod-1"],
	["node", "pod-1"],
	["pod-1", "pod-2"],
	["pod-2", "pod-1"],
	["pod-3", "pod-1"],
];

/** Whatever a node still had to say to somebody has come by the same wire as the last of these. */
async function useEveryWire(world: PacketWorld): Promise<void> {
	await Promise.all(
		wires.flatMap(([from, to]) =>
			(["IPv4", "IPv6"] as const).map(async (family) => {
				for (let time = 0; time < 3; time++)
					for (const protocol of ["TCP", "UDP"] as const)
						await world.ask(from, protocol, world.addressOf(to, family), 8080)
							.answer;
			}),
		),
	);
}
