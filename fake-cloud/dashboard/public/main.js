/** @import { Connection } from "./stream.js" */
import { render } from "preact";
import { announcer } from "./announcer.js";
import { changes } from "./changes.js";
import { openEvents, openServices, readPending, readState } from "./cloud.js";
import { followServices } from "./services.js";
import { html } from "./html.js";
import { apply, fromState } from "./state.js";
import {
	announcement,
	chosen,
	connection,
	now,
	pending,
	services,
	view,
} from "./store.js";
import { LiveStream } from "./stream.js";
import { Page } from "./views/page.js";

const after = (/** @type {number} */ ms, /** @type {() => void} */ run) =>
	void setTimeout(run, ms);

const announce = announcer(after, (text) => {
	announcement.value = text;
});

const stream = new LiveStream(
	{ read: readState, open: openEvents, after, now: Date.now },
	{
		state(state) {
			const before = view.value;
			view.value = fromState(state, Date.now(), before);
			if (before) announce(changes(before, view.value));
			void askPending();
		},
		events(events) {
			if (view.value === null) return;
			const before = view.value;
			view.value = apply(before, events);
			announce(changes(before, view.value));
		},
		connection(next) {
			announce(connectionChange(connection.value, next));
			connection.value = next;
		},
	},
);

/** @param {Connection} before @param {Connection} next @returns {string[]} */
function connectionChange(before, next) {
	if (before.phase === next.phase) return [];
	if (next.phase === "reconnecting")
		return before.phase === "live" ? ["Connection lost, reconnecting"] : [];
	return next.phase === "live" && next.how !== null ? ["Live again"] : [];
}

/** Milliseconds between two looks at the Services that wait, where a cluster can be asked. */
const pendingMs = 5000;

/** Asks which Services wait; goes on asking while a cluster can answer. */
async function askPending() {
	const first = pending.value === null;
	try {
		pending.value = await readPending();
	} catch (error) {
		pending.value = error instanceof Error ? error : new Error(String(error));
	}
	const unknown = !(pending.value instanceof Error) && !pending.value.known;
	if (first && !unknown) setInterval(() => void askPending(), pendingMs);
}

/** The address names the balancer shown, so that it can be kept and sent. */
function choose() {
	const [, id] = /^#balancer-(\d+)$/.exec(location.hash) ?? [];
	// Other fragments are places on the page.
	if (id !== undefined) chosen.value = Number(id);
}

addEventListener("hashchange", choose);
choose();
setInterval(() => {
	now.value = Date.now();
}, 1000);
const root = document.getElementById("page");
if (root === null) throw new Error("index.html has no #page");
render(html`<${Page} />`, root);
stream.start();
followServices(openServices(), services);
