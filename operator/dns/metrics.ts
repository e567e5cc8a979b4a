import { Counter, Gauge, type Registry } from "prom-client";

export interface DnsMetrics {
	/** Counts a response; read when Prometheus asks, for a counter's own labels cost more than an answer. */
	responded(transport: "udp" | "tcp", rcode: string): void;
	dropped: Counter<"reason">;
	forwards: Counter<"outcome">;
	/** Read when Prometheus asks. */
	watch(source: DnsGauges): void;
}

export interface DnsGauges {
	services: () => number;
	connections: () => number;
}

/** Registers the DNS server's metrics; docs/reference/dns.md lists them. */
export function dnsMetrics(registry: Registry): DnsMetrics {
	const registers = [registry];
	let source: DnsGauges | undefined;
	const gauge = (
		name: string,
		help: string,
		read: (from: DnsGauges) => number,
	) =>
		new Gauge({
			name,
			help,
			registers,
			collect() {
				if (source) this.set(read(source));
			},
		});
	gauge("fairlead_dns_services", "Services in the cache.", (from) =>
		from.services(),
	);
	gauge("fairlead_dns_connections", "TCP connections open now.", (from) =>
		from.connections(),
	);
	const responses = {
		udp: new Map<string, number>(),
		tcp: new Map<string, number>(),
	};
	new Counter({
		name: "fairlead_dns_responses_total",
		help: "Queries answered, by transport and response code.",
		labelNames: ["transport", "rcode"],
		registers,
		collect() {
			this.reset();
			for (const [transport, counts] of Object.entries(responses))
				for (const [rcode, count] of counts)
					this.inc({ transport, rcode }, count);
		},
	});
	return {
		responded(transport, rcode) {
			const counts = responses[transport];
			counts.set(rcode, (counts.get(rcode) ?? 0) + 1);
		},
		dropped: new Counter({
			name: "fairlead_dns_dropped_total",
			help: "Packets and connections that got no answer, by reason.",
			labelNames: ["reason"],
			registers,
		}),
		forwards: new Counter({
			name: "fairlead_dns_forwards_total",
			help: "Queries sent to an upstream resolver, by what came of it.",
			labelNames: ["outcome"],
			registers,
		}),
		watch: (from) => {
			source = from;
		},
	};
}
