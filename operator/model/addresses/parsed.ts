/** What reading text from a user gives: the value, or one sentence that names the text and says what is wrong with it. */
export type Parsed<T> = { ok: true; value: T } | { ok: false; reason: string };

export function parsed<T>(value: T): Parsed<T> {
	return { ok: true, value };
}

export function refused(reason: string): { ok: false; reason: string } {
	return { ok: false, reason };
}
