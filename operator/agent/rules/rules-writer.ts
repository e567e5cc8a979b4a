import {
	type Frontend,
	type HeldAddress,
	type Program,
	type ProgramChange,
	type RulesBackend,
} from "../../model/rules/program.ts";
import { diff, isEmpty } from "../../model/rules/program-change.ts";
import { UserspaceBackend } from "./userspace-backend.ts";

/** Where more Services than this are refused it is no longer their fault, and finding each would take long. */
const mostRefused = 16;

type Part = Pick<ProgramChange, "frontends" | "held">;

/**
 * Brings programs into a backend, and remembers what is in force. When the backend refuses a program as a whole, the
 * Services it refuses are found by halving and left as they were, so that one bad element holds up nobody else. Where another
 * proxy's rules lie beneath (`keepAlive`), what is refused is taken away instead: that proxy may know better than rules of old.
 */
export class RulesWriter {
	readonly #backend: RulesBackend;
	/** What the backend took last. */
	readonly #inForce = new UserspaceBackend();
	/** By Service: why the backend refuses it. */
	#refused = new Map<string, string>();

	constructor(backend: RulesBackend) {
		this.#backend = backend;
	}

	/** By `namespace/name`: what the backend said about Services that are not as they should be. */
	get refused(): ReadonlyMap<string, string> {
		return this.#refused;
	}

	/** What the packets of this node meet. */
	get inForce(): Program {
		return this.#inForce.program;
	}

	/**
	 * One transaction that leads to `program`, unless it touches a Service that was refused: then everything is tried again.
	 *
	 * @throws what the backend throws; `replace` is due then
	 */
	write(change: ProgramChange, program: Program): void {
		const again = change.frontends.some(({ before, after }) =>
			this.#refused.has((after ?? before)?.service ?? ""),
		);
		if (again) return this.replace(program);
		this.#backend.apply(change);
		this.#inForce.apply(change);
	}

	/**
	 * To exactly this program, but for the Services that `refused` names afterwards.
	 *
	 * @throws what the backend throws when it takes nothing at all, or refuses too many Services to name them
	 */
	replace(program: Program): void {
		try {
			this.#backend.replace(program);
			const gone = [...this.inForce.frontends].flatMap(([key, frontend]) =>
				program.frontends.has(key) ? [] : [frontend],
			);
			this.#backend.forgetGone?.(gone);
			this.#inForce.replace(program);
			this.#refused = new Map();
		} catch (error) {
			this.#replaceInParts(program, error as Error);
		}
	}

	#replaceInParts(program: Program, refusal: Error): void {
		const { frontends, held, settings } = diff(this.inForce, program);
		const parts = byService(frontends, held, program);
		// With nothing to leave out, or nothing that works, it is no Service's fault.
		if (parts.size === 0) throw refusal;
		this.#backend.replace(this.inForce, "stale");
		if (settings) {
			this.#backend.apply({ frontends: [], held: [], settings });
			this.#inForce.apply({ frontends: [], held: [], settings });
		}
		const refused = new Map<string, string>();
		this.#halve([...parts], refused, refusal);
		this.#backend.keepAlive?.();
		this.#refused = refused;
	}

	#halve(
		parts: [service: string, part: Part][],
		refused: Map<string, string>,
		refusal: Error,
	): void {
		if (parts.length === 0) return;
		const change: Part = {
			frontends: parts.flatMap(([, part]) => part.frontends),
			held: parts.flatMap(([, part]) => part.held),
		};
		try {
			this.#backend.apply(change);
			this.#inForce.apply(change);
		} catch (error) {
			// A failed transaction may have left the backend unsure of itself.
			this.#backend.replace(this.inForce, "stale");
			const [only] = parts;
			if (parts.length === 1 && only) {
				refused.set(only[0], (error as Error).message);
				if (refused.size > mostRefused) throw refusal;
				if (this.#backend.keepAlive) this.#takeAway(change);
				return;
			}
			const middle = Math.ceil(parts.length / 2);
			this.#halve(parts.slice(0, middle), refused, refusal);
			this.#halve(parts.slice(middle), refused, refusal);
		}
	}

	#takeAway({ frontends, held }: Part): void {
		const change = {
			frontends: frontends.flatMap(({ before }) =>
				before ? [{ before }] : [],
			),
			held: held.flatMap(({ before }) => (before ? [{ before }] : [])),
		};
		if (isEmpty(change)) return;
		this.#backend.apply(change);
		this.#inForce.apply(change);
	}

	/** What somebody else changed; undefined if nobody did. */
	drift(): string | undefined {
		return this.#backend.drift(this.inForce);
	}

	/** Takes all rules away. */
	remove(): void {
		this.#backend.remove();
		this.#inForce.remove();
	}

	close(): void {
		this.#backend.close();
	}
}

/** A change, taken apart by the Service that wants it. An address that several hold goes with the first of them. */
function byService(
	frontends: ProgramChange["frontends"],
	held: ProgramChange["held"],
	program: Program,
): Map<string, Part> {
	const parts = new Map<string, Part>();
	const partOf = (service: string): Part => {
		const part = parts.get(service) ?? { frontends: [], held: [] };
		parts.set(service, part);
		return part;
	};
	const holder = new Map<string, string>();
	const claim = ({ address, service }: Frontend) => {
		if (!holder.has(address)) holder.set(address, service);
	};
	for (const frontend of program.frontends.values()) claim(frontend);
	for (const entry of frontends) {
		const frontend = entry.after ?? entry.before;
		if (!frontend) continue;
		claim(frontend);
		partOf(frontend.service).frontends.push(entry);
	}
	for (const entry of held) {
		const { address } = (entry.after ?? entry.before) as HeldAddress;
		partOf(holder.get(address) ?? address).held.push(entry);
	}
	return parts;
}
