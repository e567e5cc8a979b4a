import type { Protocol } from "../../api/core.ts";
import type { NodePortFacts } from "../agent-report.ts";

/** What a report says of ports, without what is not as it should be: a Lease can be edited by hand. */
export function saneFacts(facts: NodePortFacts | undefined): NodePortFacts {
	const { ephemeral, reserved, listening, hostPorts } = facts ?? {};
	return {
		...(isPair(ephemeral) ? { ephemeral } : {}),
		reserved: listOf(reserved).filter(isPair),
		listening: listOf(listening).filter(isPort).map(plainProcess),
		hostPorts: listOf(hostPorts).filter(
			(each): each is { port: number; protocol: Protocol; pod: string } =>
				isPort(each) && typeof (each as { pod?: unknown }).pod === "string",
		),
	};
}

function plainProcess(
	each: { port: number; protocol: Protocol } & { process?: unknown },
): { port: number; protocol: Protocol; process?: string } {
	const { port, protocol, process } = each;
	return {
		port,
		protocol,
		...(typeof process === "string" ? { process } : {}),
	};
}

function listOf(value: unknown): unknown[] {
	return Array.isArray(value) ? value : [];
}

function isPair(value: unknown): value is [number, number] {
	return (
		Array.isArray(value) &&
		value.length === 2 &&
		value.every((each) => Number.isInteger(each))
	);
}

function isPort(value: unknown): value is { port: number; protocol: Protocol } {
	if (typeof value !== "object" || value === null) return false;
	const { port, protocol } = value as { port?: unknown; protocol?: unknown };
	return (
		Number.isInteger(port) &&
		(protocol === "TCP" || protocol === "UDP" || protocol === "SCTP")
	);
}
