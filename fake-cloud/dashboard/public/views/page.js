import { html } from "../html.js";
import { announcement, shown, view } from "../store.js";
import { Actions } from "./actions.js";
import { Balancer } from "./balancer.js";
import { Balancers } from "./balancers.js";
import { Empty } from "./empty.js";
import { Faults } from "./faults.js";
import { Header } from "./header.js";
import { Pending } from "./pending.js";
import { Services } from "./services.js";
import { Vitals } from "./vitals.js";

export function Page() {
	const known = view.value;
	return html`
		<${Header} />
		<main id="main" tabindex="-1">
			${
				known === null
					? html`<p class="loading">Reading the cloud's state…</p>`
					: html`
					<${Vitals} />
					<div class="columns">
						<div class="column">
							${known.balancers.size === 0 ? html`<${Empty} />` : html`<${Balancers} />`}
							${shown.value && html`<${Balancer} balancer=${shown.value} />`}
							<${Services} />
							<${Pending} />
						</div>
						<div class="column side">
							<${Actions} />
							<${Faults} />
						</div>
					</div>
				`
			}
		</main>
		<div class="only-heard" role="status" aria-live="polite">${announcement.value}</div>
	`;
}
