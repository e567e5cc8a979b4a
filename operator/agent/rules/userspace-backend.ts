import type {
	Frontend,
	HeldAddress,
	Program,
	ProgramChange,
	RulesBackend,
} from "../../model/rules/program.ts";
import { emptyProgram, settingsOf } from "../../model/rules/program-change.ts";
import { frontendKey } from "../../model/rules/program.ts";

/**
 * Rules where there is no kernel to ask: it only keeps the program, and who moves the bytes asks `evaluate` about it for
 * each connection.
 */
export class UserspaceBackend implements RulesBackend {
	readonly #frontends = new Map<string, Frontend>();
	readonly #held = new Map<string, HeldAddress>();
	#settings = settingsOf(emptyProgram);

	/** What is in force now; it changes with every call. */
	get program(): Program {
		return { frontends: this.#frontends, held: this.#held, ...this.#settings };
	}

	replace(program: Program): void {
		const frontends = [...program.frontends];
		const held = [...program.held];
		this.remove();
		for (const [key, frontend] of frontends) this.#frontends.set(key, frontend);
		for (const [address, each] of held) this.#held.set(address, each);
		this.#settings = settingsOf(program);
	}

	apply(change: ProgramChange): void {
		for (const { before, after } of change.frontends) {
			if (after) this.#frontends.set(frontendKey(after), after);
			else if (before) this.#frontends.delete(frontendKey(before));
		}
		for (const { before, after } of change.held) {
			if (after) this.#held.set(after.address, after);
			else if (before) this.#held.delete(before.address);
		}
		if (change.settings) this.#settings = change.settings;
	}

	/** Nobody else can reach the program. */
	drift(): undefined {
		return undefined;
	}

	remove(): void {
		this.#frontends.clear();
		this.#held.clear();
		this.#settings = settingsOf(emptyProgram);
	}

	close(): void {}
}
