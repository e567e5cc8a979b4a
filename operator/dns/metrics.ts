import { Counter, Gauge, type Registry } from "prom-client";

export interface DnsMetrics {
	responses: Counter<"transport" | "rcode">;
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
	return {
		responses: new Counter({
			name: "fairlead_dns_responses_total",
			help: "Queries answered, by transport and response code.",
			labelNames: ["transport", "rcode"],
			registers,
		}),
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
