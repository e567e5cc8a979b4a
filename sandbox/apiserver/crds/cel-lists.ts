import type { Environment } from "@marcbachmann/cel-js";

/** sum() of lists of integers, as Kubernetes adds it to CEL (k8s.io/apiserver/pkg/cel/library: lists.go). */
export function addLists(environment: Environment): void {
	environment.registerFunction("list<int>.sum(): int", sum);
	// What comes of untyped `self` is known by its values only.
	environment.registerFunction("list<dyn>.sum(): int", sum);
}

function sum(list: readonly unknown[]): bigint {
	let total = 0n;
	for (const item of list) {
		if (typeof item !== "bigint")
			throw new Error("sum() of what is not an integer is not known here");
		total += item;
	}
	return total;
}
