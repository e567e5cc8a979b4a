/**
 * Resolves with what `read` gives as soon as `holds` does not throw on it; reads again every 25 ms where nothing can be
 * awaited. Fails with the last complaint after `withinMs`.
 */
export async function eventually<T>(
	read: () => T | Promise<T>,
	holds: (value: T) => void,
	withinMs = 20_000,
): Promise<T> {
	const end = performance.now() + withinMs;
	for (;;) {
		let complaint: unknown;
		try {
			const value = await read();
			holds(value);
			return value;
		} catch (error) {
			complaint = error;
		}
		if (performance.now() > end) throw complaint;
		await new Promise((resolve) => setTimeout(resolve, 25));
	}
}
