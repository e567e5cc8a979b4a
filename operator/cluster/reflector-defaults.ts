/** Milliseconds, but for `pageSize` and `relistAfter`. */
export const reflectorDefaults = {
	/** Objects per page of a list. */
	pageSize: 500,
	/** The server is asked to end a watch after between this and twice this, at random, so that not all end at once. */
	watchMs: 300_000,
	/** A watch must be answered within this. */
	openMs: 30_000,
	/** Silence that ends a watch; API servers send a bookmark about every minute. */
	silenceMs: 180_000,
	/** Silence in the middle of the initial events that proves a server not to know WatchList. */
	initialSilenceMs: 10_000,
	/** A watch that has been open this long is a working one, even if nothing happened. */
	settledMs: 10_000,
	/** Trouble shorter than this does not make the reflector unhealthy. */
	graceMs: 10_000,
	/** Failures in a row of a server that does answer, after which the whole list is read again. */
	relistAfter: 3,
	backoffBaseMs: 200,
	backoffCapMs: 30_000,
	/** How often a kind that is not installed is looked for. */
	absentMs: 5_000,
};
