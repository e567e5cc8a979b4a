import type { Log } from "../../../operator/log.ts";
import { sameFrontend } from "../../../operator/model/rules/program-change.ts";
import {
	type Frontend,
	frontendKey,
	type ProgramChange,
	type RulesBackend,
} from "../../../operator/model/rules/program.ts";

/** Keeps the kernel's rules what the engine wants of them: by changes, and anew when a change or a look says they are not. */
export class RulesWriter {
	readonly #rules: RulesBackend;
	readonly #log: Log;
	/** By `frontendKey`. */
	readonly #frontends = new Map<string, Frontend>();
	/** What is there is not known to be what was last written. */
	#unsure = true;
	#failure: string | null = null;

	/** Begins with none. @throws KernelDenied, KernelUnsupported, KernelFailed; `rules` is closed then */
	constructor(rules: RulesBackend, log: Log) {
		this.#rules = rules;
		this.#log = log;
		rules.onTrouble = (error) =>
			log.warn(
				{ err: error },
				"flows to targets that are gone are not all forgotten",
			);
		try {
			this.#replace();
		} catch (error) {
			rules.close();
			throw error;
		}
	}

	/** Why the rules are not as they should be; null when they are. */
	get failure(): string | null {
		return this.#failure;
	}

	/** Makes `after` what there is in place of `before`, both by `frontendKey`. */
	set(
		before: ReadonlyMap<string, Frontend>,
		after: ReadonlyMap<string, Frontend>,
	): void {
		const changes: ProgramChange["frontends"] = [];
		for (const key of new Set([...before.keys(), ...after.keys()])) {
			const [was, is] = [before.get(key), after.get(key)];
			if (was && is && sameFrontend(was, is)) continue;
			if (is) this.#frontends.set(key, is);
			else this.#frontends.delete(key);
			changes.push({ ...(was && { before: was }), ...(is && { after: is }) });
		}
		if (changes.length > 0) this.#write(changes);
	}

	/** Looks whether somebody else changed them, and tries again what failed. */
	check(): void {
		this.#attempt(() => {
			const drift = this.#rules.drift();
			if (drift === undefined) return;
			this.#unsure = true;
			this.#log.warn(`the rules were changed by somebody else: ${drift}`);
		});
		if (this.#unsure) this.#attempt(() => this.#replace());
	}

	close(): void {
		this.#rules.remove();
		this.#rules.close();
	}

	#write(frontends: ProgramChange["frontends"]): void {
		if (!this.#unsure)
			this.#attempt(() => this.#rules.apply({ frontends, held: [] }));
		if (this.#unsure) this.#attempt(() => this.#replace());
	}

	#replace(): void {
		// No address is `held`: on the loopback link the kernel itself refuses what nobody serves, and sockets may bind.
		this.#rules.replace({
			frontends: new Map(
				[...this.#frontends.values()].map((each) => [frontendKey(each), each]),
			),
			held: new Map(),
			podCidrs: [],
			masqueradeAll: false,
		});
		this.#unsure = false;
		this.#failure = null;
	}

	#attempt(work: () => void): void {
		try {
			work();
		} catch (error) {
			this.#unsure = true;
			const { message } = error as Error;
			if (message !== this.#failure)
				this.#log.error({ err: error }, "the rules could not be written");
			this.#failure = message;
		}
	}
}
