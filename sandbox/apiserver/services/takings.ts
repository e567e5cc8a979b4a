import type { Transaction } from "../strategy.ts";
import type { NumberPool, Refusal } from "./number-pool.ts";

/** What one request has taken and will give back. */
export class Takings implements Transaction {
	readonly dryRun: boolean;
	#taken: [NumberPool, bigint][] = [];
	#released: [NumberPool, bigint][] = [];

	constructor(dryRun: boolean) {
		this.dryRun = dryRun;
	}

	one(pool: NumberPool, number: bigint): Refusal | undefined {
		const refused = pool.take(number);
		if (!refused) this.#taken.push([pool, number]);
		return refused;
	}

	any(pool: NumberPool): bigint | undefined {
		const number = pool.next();
		if (number !== undefined) this.#taken.push([pool, number]);
		return number;
	}

	releaseLater(pool: NumberPool, number: bigint): void {
		this.#released.push([pool, number]);
	}

	commit(): void {
		for (const [pool, number] of this.#released.splice(0)) pool.release(number);
		this.#taken = [];
	}

	revert(): void {
		for (const [pool, number] of this.#taken.splice(0)) pool.release(number);
		this.#released = [];
	}
}
