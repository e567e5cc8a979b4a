import type { Clock } from "../../clock.ts";
import type { RulesBackend } from "../../model/rules/program.ts";

/** Milliseconds. */
export const guardTimes = {
	/** After an agent's last sign of life another proxy takes over: not for a pause of a busy node, but before clients give up. */
	timeoutMs: 10_000,
	/** Five chances before that; each is a transaction of a few messages. */
	renewMs: 2_000,
};

/**
 * Renews the guard of a backend that has one, for as long as the rules are `healthy`: rules that are known to be late must not
 * stand before those of a proxy that may know better. `failed` is told when it cannot be renewed. Returns what ends it.
 */
export function keepGuard({
	backend,
	clock,
	healthy,
	failed,
}: {
	backend: Pick<RulesBackend, "keepAlive">;
	clock: Clock;
	healthy: () => boolean;
	failed: (error: Error) => void;
}): () => void {
	if (!backend.keepAlive) return () => {};
	const renew = () =>
		clock.after(guardTimes.renewMs, () => {
			cancel = renew();
			if (!healthy()) return;
			try {
				backend.keepAlive?.();
			} catch (error) {
				failed(error as Error);
			}
		});
	let cancel = renew();
	return () => cancel();
}
