import type {
	EndpointSlice,
	Lease,
	Node,
	Service,
} from "../../operator/api/core.ts";
import type { Condition } from "../../operator/api/meta.ts";
import {
	agentAnnotations,
	annotations,
	conditions,
} from "../../operator/api/names.ts";
import { Store } from "../../operator/cluster/index.ts";
import { Agents } from "../../operator/controller/agents/agents.ts";
import { ProgrammingWatch } from "../../operator/controller/agents/programming-watch.ts";
import { serviceOf } from "../../operator/controller/trim.ts";
import { FairleadError } from "../../operator/errors.ts";
import {
	type AgentReport,
	formatReport,
} from "../../operator/model/agent-report.ts";
import { formatAssignment } from "../../operator/model/assignment.ts";
import { FakeClock } from "./fake-clock.ts";
import { quietLog } from "./quiet-log.ts";

/** What a controller sees of nodes, their agents and Services, fed by hand. */
export class AgentsWorld {
	readonly clock = new FakeClock();
	readonly leases: Store<Lease>;
	readonly nodes: Store<Node>;
	readonly services: Store<Service>;
	readonly slices: Store<EndpointSlice>;
	readonly agents: Agents;
	readonly watch: ProgrammingWatch;
	/** Services woken, in order; `*` for all of them. */
	readonly woken: string[] = [];
	/** The API server cannot be asked. */
	away = false;
	/** Leases as the API server has them, where that is more than the watch told. */
	readonly unseen = new Map<string, Lease>();
	#version = 1_000;

	constructor() {
		const { clock } = this;
		const log = quietLog();
		this.leases = new Store<Lease>({ clock, log });
		this.nodes = new Store<Node>({ clock, log });
		this.services = new Store<Service>({ clock, log });
		this.slices = new Store<EndpointSlice>({ clock, log });
		this.slices.addIndex("service", (slice) => {
			const key = serviceOf(slice);
			return key === undefined ? [] : [key];
		});
		this.agents = new Agents({
			leases: this.leases,
			nodes: this.nodes,
			ask: async () => {
				if (this.away)
					throw new FairleadError("KubeUnreachable", "connection refused");
				return [...this.leases.values()].map(
					(lease) => this.unseen.get(lease.metadata.name) ?? lease,
				);
			},
			clock,
			log,
		});
		this.watch = new ProgrammingWatch({
			agents: this.agents,
			services: this.services,
			slices: this.slices,
			clock,
			wake: (key) => this.woken.push(key),
			wakeAll: () => this.woken.push("*"),
		});
		this.agents.start();
		this.watch.start();
	}

	get version(): number {
		return this.#version;
	}

	next(): string {
		return String(++this.#version);
	}

	node(name: string, ready = "True"): void {
		this.nodes.put({
			metadata: { name, resourceVersion: this.next() },
			status: { conditions: [{ type: "Ready", status: ready }] },
		});
	}

	/** An agent renews its Lease, and says it has got as far as `version`. */
	report(
		node: string,
		version: number | string | undefined,
		more: Partial<AgentReport> = {},
	): void {
		this.leases.put(this.lease(node, version, more));
	}

	lease(
		node: string,
		version: number | string | undefined,
		more: Partial<AgentReport> = {},
	): Lease {
		const said: AgentReport = { node, rules: "full", ...more };
		if (version !== undefined)
			said.reached = {
				services: String(version),
				endpointSlices: String(version),
			};
		const now = new Date(this.clock.now()).toISOString();
		return {
			metadata: {
				name: `fairlead-agent-${node}`,
				namespace: "fairlead-system",
				resourceVersion: this.next(),
				annotations: { [agentAnnotations.report]: formatReport(said) },
			},
			spec: {
				holderIdentity: node,
				leaseDurationSeconds: 40,
				renewTime: now.replace(
					"Z",
					`${this.next().padStart(6, "0").slice(-3)}Z`,
				),
			},
		};
	}

	/** A Service as it now is, whose record holds `address`; what is said of Programmed stays unless given. */
	service(
		name: string,
		{
			address = "192.0.2.1",
			programmed,
			port = 80,
		}: {
			address?: string;
			programmed?: Pick<Condition, "status" | "reason">;
			port?: number;
		} = {},
	): Service {
		const key = `shop/${name}`;
		const known = this.services.get(key);
		const said = programmed
			? [
					{
						type: conditions.programmed,
						message: "",
						lastTransitionTime: "2026-01-01T00:00:00Z",
						...programmed,
					},
				]
			: known?.status?.conditions;
		const service: Service = {
			metadata: {
				namespace: "shop",
				name,
				uid: name,
				resourceVersion: this.next(),
				annotations: {
					[annotations.assigned]: formatAssignment({
						addresses: [address],
						class: "lab",
						pools: ["lab"],
						number: "1",
					}),
				},
			},
			spec: { type: "LoadBalancer", ports: [{ port }] },
			...(said ? { status: { conditions: said } } : {}),
		};
		this.services.put(service);
		return service;
	}

	slice(service: string): string {
		const resourceVersion = this.next();
		this.slices.put({
			metadata: {
				namespace: "shop",
				name: `${service}-1`,
				resourceVersion,
				labels: { "kubernetes.io/service-name": service },
			},
			addressType: "IPv4",
			endpoints: [],
		});
		return resourceVersion;
	}

	/** What is said of a Service now, in short. */
	said(name: string): string {
		const service = this.services.get(`shop/${name}`);
		if (!service) return "gone";
		const programming = this.watch.of(`shop/${name}`, service);
		if (programming.kind !== "Reported") return programming.kind;
		const { behind, more, overdue, refused, servable } = programming;
		return [
			behind.length === 0
				? "everywhere"
				: `behind ${behind.join()}${more ? " and others" : ""}`,
			...(overdue ? ["overdue"] : []),
			...refused.map(({ node, message }) => `${node} refuses: ${message}`),
			...(servable ? [] : ["nobody serves"]),
		].join("; ");
	}

	/** Lets what was told be taken in; says who was woken since the last time. */
	async settled(): Promise<string[]> {
		await this.clock.advance(0);
		return this.woken.splice(0);
	}
}
