import { html } from "../html.js";
import { Command } from "./parts.js";

/** What to do while there is nothing to see. */
export const Empty = () => html`
	<section class="card empty" aria-labelledby="empty-title">
		<h2 id="empty-title">No balancers yet</h2>
		<p>This page is live: a balancer shows here the moment it is made. Two ways to make one:</p>
		<ol>
			<li>
				<p>Let Fairlead make it: start the controller with a BalancerClass whose endpoint is <code>${location.origin}/v1</code>, then apply a Service of <code>type: LoadBalancer</code>.</p>
				<${Command} label="expose a Deployment" text="kubectl expose deployment web --type=LoadBalancer --port=80" />
			</li>
			<li>
				<p>Or make it by hand, with a token of this cloud:</p>
				<${Command} label="make a balancer by hand" text=${byHand()} />
			</li>
		</ol>
	</section>
`;

const byHand = () =>
	[
		`curl -X POST ${location.origin}/v1/load_balancers`,
		`-H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json"`,
		`-d '{"name":"web","load_balancer_type":"lb11","location":"fsn1"}'`,
	].join(" ");
