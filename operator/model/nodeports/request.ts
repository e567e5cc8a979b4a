import type { Protocol, Service, ServicePort } from "../../api/core.ts";
import { annotations } from "../../api/names.ts";
import { quote } from "../quote.ts";
import { formatPortRange, inRange, type PortRange } from "./port-range.ts";

/** What a Service asks for in annotation fairlead.dev/node-ports. */
export type NodePortRequest =
	| { kind: "None" }
	/** By the key of the port, see `portKey`. */
	| { kind: "Ports"; ports: ReadonlyMap<string, number> }
	| { kind: "Pool"; pool: string }
	/** `message` is one sentence with the annotation, the value and what to do. */
	| { kind: "Invalid"; message: string };

/** How a port of a Service is named in annotations, records and messages: by name, or as `80/TCP` where it has none. */
export function portKey({ name, port, protocol }: ServicePort): string {
	return name || `${port}/${protocol ?? "TCP"}`;
}

export function protocolOf({ protocol }: ServicePort): Protocol {
	return protocol ?? "TCP";
}

/** Reads the annotation against the ports the Service has; `range` is the API server's. */
export function readNodePortRequest(
	service: Service,
	range: PortRange,
): NodePortRequest {
	const value = service.metadata.annotations?.[annotations.nodePorts];
	if (value === undefined) return { kind: "None" };
	const text = value.trim();
	if (text === "") return invalid(value, `it is empty; ${howTo}`);
	if (!text.includes("=")) return readPool(value, text);
	return readPorts(value, text, service.spec.ports ?? [], range);
}

const howTo =
	"write PORTNAME=NODEPORT pairs with commas between (web=30080,53/UDP=30053), or the name of a NodePortPool";

function readPool(value: string, text: string): NodePortRequest {
	// Names of fairlead.dev kinds are DNS subdomains (apimachinery, NameIsDNSSubdomain) of at most 63 characters.
	return /^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/.test(text) &&
		!/^\d+$/.test(text)
		? { kind: "Pool", pool: text }
		: invalid(value, howTo);
}

function readPorts(
	value: string,
	text: string,
	ports: readonly ServicePort[],
	range: PortRange,
): NodePortRequest {
	const wanted = new Map<string, number>();
	const taken = new Map<string, string>();
	for (const part of text.split(",")) {
		const [, name, digits] = /^([^=]+)=([^=]+)$/.exec(part.trim()) ?? [];
		if (name === undefined || digits === undefined)
			return invalid(value, `${quote(part.trim())} is no pair; ${howTo}`);
		const port = find(ports, name.trim());
		if (!port)
			return invalid(
				value,
				`the Service has no port ${quote(name.trim())}; it has ${ports.map(portKey).join(", ") || "none"}`,
			);
		const nodePort = Number(digits.trim());
		if (!/^\d{1,5}$/.test(digits.trim()) || !inRange(range, nodePort))
			return invalid(
				value,
				`${quote(digits.trim())} is no NodePort of this cluster; take one of ${formatPortRange(range)}`,
			);
		const key = portKey(port);
		if (wanted.has(key))
			return invalid(value, `port ${key} stands in it twice`);
		const clash = taken.get(`${nodePort}/${protocolOf(port)}`);
		if (clash !== undefined)
			return invalid(
				value,
				`ports ${clash} and ${key} cannot both have NodePort ${nodePort}/${protocolOf(port)}`,
			);
		wanted.set(key, nodePort);
		taken.set(`${nodePort}/${protocolOf(port)}`, key);
	}
	return { kind: "Ports", ports: wanted };
}

/** By name first; `80/tcp` is the TCP port 80, whatever its name. */
function find(
	ports: readonly ServicePort[],
	asked: string,
): ServicePort | undefined {
	return (
		ports.find(({ name }) => name === asked) ??
		ports.find(
			(port) => `${port.port}/${protocolOf(port)}` === asked.toUpperCase(),
		)
	);
}

function invalid(value: string, message: string): NodePortRequest {
	return {
		kind: "Invalid",
		message: `annotation ${annotations.nodePorts} ${quote(value)}: ${message}`,
	};
}
