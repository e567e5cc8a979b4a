import { UserspaceBackend } from "../../operator/agent/rules/userspace-backend.ts";
import { FairleadError } from "../../operator/errors.ts";
import type {
	Program,
	ProgramChange,
	RulesBackend,
} from "../../operator/model/rules/program.ts";

/** A backend without a kernel: atomic, remembers its calls, and refuses what a test tells it to. */
export class FakeBackend implements RulesBackend {
	onTrouble: RulesBackend["onTrouble"];
	/** Every call that had an effect: `replace`, also `stale`, `apply` and how many frontends it touched, `remove`, `close`. */
	readonly calls: string[] = [];
	/** Why a transaction is refused as a whole; undefined: it is not. */
	refuses: (program: Program) => string | undefined = () => undefined;
	/** What somebody else did; cleared by `replace`. */
	drifted: string | undefined;
	#kept = new UserspaceBackend();

	get program(): Program {
		return this.#kept.program;
	}

	replace(program: Program, stale?: "stale"): void {
		const next = new UserspaceBackend();
		next.replace(program);
		this.#commit(next);
		this.drifted = undefined;
		this.calls.push(stale ? "replace stale" : "replace");
	}

	apply(change: ProgramChange): void {
		for (const { before } of change.frontends)
			if (before && !this.#has(before))
				throw new FairleadError("KernelFailed", "ENOENT: no such element");
		const next = new UserspaceBackend();
		next.replace(this.#kept.program);
		next.apply(change);
		this.#commit(next);
		this.calls.push(`apply ${change.frontends.length}`);
	}

	drift(): string | undefined {
		return this.drifted;
	}

	remove(): void {
		this.#kept.remove();
		this.calls.push("remove");
	}

	close(): void {
		this.calls.push("close");
	}

	#commit(next: UserspaceBackend): void {
		const refusal = this.refuses(next.program);
		if (refusal !== undefined) throw new FairleadError("KernelFailed", refusal);
		this.#kept = next;
	}

	#has(frontend: { address: string; protocol: string; port: number }): boolean {
		const { address, protocol, port } = frontend;
		return this.program.frontends.has(`${address}|${protocol}|${port}`);
	}
}
