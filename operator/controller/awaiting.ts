import type { Cancel, Clock } from "../clock.ts";
import type { Log } from "../log.ts";

const sayMs = 10_000;

/**
 * Says what is waited for, one line for all that `awaited` names, once that has lasted 10 s, and then every 10 s if it
 * became another; until it is called off.
 */
export function sayWhatIsAwaited(
	awaited: () => string[],
	clock: Clock,
	log: Log,
): Cancel {
	let said = "";
	const look = () => {
		const text = awaited().join("; ");
		if (text !== "" && text !== said) {
			said = text;
			log.warn(`waits for what it must know before it does anything: ${text}`);
		}
		cancel = clock.after(sayMs, look);
	};
	let cancel = clock.after(sayMs, look);
	return () => cancel();
}

/** What comes first: that all is read, that `over` is aborted, or, if a limit is given, that it took longer. */
export async function firstOf(
	read: Promise<unknown>,
	over: AbortSignal,
	limit?: { clock: Clock; ms: number },
): Promise<"Read" | "Over" | "Late"> {
	let cancel: Cancel = () => {};
	const late = new Promise<void>((resolve) => {
		if (limit) cancel = limit.clock.after(limit.ms, resolve);
	});
	try {
		return await Promise.race([
			aborted(over).then(() => "Over" as const),
			read.then(() => "Read" as const),
			late.then(() => "Late" as const),
		]);
	} finally {
		cancel();
	}
}

export function aborted(signal: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		if (signal.aborted) return resolve();
		signal.addEventListener("abort", () => resolve(), { once: true });
	});
}
