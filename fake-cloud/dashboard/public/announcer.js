import { digest } from "./changes.js";

/** Milliseconds between two announcements: more often, and a screen reader never ends. */
const pauseMs = 3000;

/**
 * Says sentences politely: at once when it was quiet, else what gathered, as one.
 *
 * @param {(ms: number, run: () => void) => void} after
 * @param {(text: string) => void} say
 */
export function announcer(after, say) {
	/** @type {string[]} */
	let waiting = [];
	let resting = false;
	const speak = () => {
		resting = waiting.length > 0;
		if (!resting) return;
		say(digest(waiting));
		waiting = [];
		after(pauseMs, speak);
	};
	return (/** @type {readonly string[]} */ sentences) => {
		waiting.push(...sentences);
		if (!resting) speak();
	};
}
