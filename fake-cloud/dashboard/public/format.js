const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

/** @param {number} value */
export const count = (value) => whole.format(value);

/** @param {number} value Per second. */
export const perSecondText = (value) => `${short.format(value)}/s`;

/** @param {number} bytes */
export function bytes(bytes) {
	const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
	const step = bytes < 1 ? 0 : Math.min(5, Math.floor(Math.log2(bytes) / 10));
	return step === 0
		? `${whole.format(bytes)} B`
		: `${short.format(bytes / 1024 ** step)} ${units[step]}`;
}

/** A length of time, coarse: what people say. @param {number} ms */
export function duration(ms) {
	if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
	const seconds = ms / 1000;
	if (seconds < 10) return `${seconds.toFixed(1)} s`;
	if (seconds < 60) return `${Math.floor(seconds)} s`;
	const minutes = Math.floor(seconds / 60);
	if (minutes < 60) return `${minutes} min`;
	const hours = Math.floor(minutes / 60);
	if (hours < 48) return `${hours} h`;
	return `${Math.floor(hours / 24)} d`;
}

/** @param {number} ms Since then. */
export const ago = (ms) => (ms < 2000 ? "now" : `${duration(ms)} ago`);

/** `add_target` → `add target`. @param {string} name */
export const words = (name) => name.replaceAll("_", " ");

/** `1 target`, `2 targets`. @param {number} n @param {string} noun */
export const some = (n, noun) => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;

/** An address and port as a URL wants them. @param {string} address @param {number} port */
export const addressAndPort = (address, port) =>
	address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
