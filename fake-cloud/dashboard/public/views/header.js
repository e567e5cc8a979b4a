import { html } from "../html.js";
import { connection, view } from "../store.js";

export function Header() {
	const engine = view.value?.engine;
	return html`
		<header class="top">
			<h1>
				<img src="assets/icon.svg" alt="" width="28" height="28" />
				<span>Fairlead <span class="thin">fake cloud</span></span>
			</h1>
			${
				engine &&
				html`
				<p class="engine">
					<span>${engine.kind} engine</span>
					${engine.door !== null && html`<span>door <code>socks5h://${engine.door}</code></span>`}
				</p>
			`
			}
			<${Link} />
		</header>
	`;
}

const notes = {
	resumed: "resumed, nothing missed",
	reread: "read anew after a restart",
};

/** Whether what the page shows is what is. */
function Link() {
	const { phase, how, attempt, reason } = connection.value;
	const text =
		phase === "live"
			? "Live"
			: phase === "connecting"
				? "Connecting"
				: "Reconnecting";
	const note =
		phase === "reconnecting"
			? `attempt ${attempt}. ${reason}. Shown is what was known before.`
			: how && notes[how];
	return html`
		<p class=${`link ${phase}`} data-phase=${phase} data-how=${how ?? ""}>
			<span class="dot" aria-hidden="true"></span>
			<strong>${text}</strong>
			${note && html` <span class="note">${note}</span>`}
		</p>
	`;
}
