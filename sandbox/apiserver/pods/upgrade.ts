import type { IncomingMessage } from "node:http";
import type { Upgrade } from "./connections.ts";
import type { WebSocket } from "ws";
import type { PodAccess } from "../../kubelet/pod-access.ts";
import type { JsonObject } from "../schema/decode.ts";
import { asRefusal, noKubelet } from "./access-error.ts";
import { asApiError, badRequest } from "../api-error.ts";
import { carrySession, commandProtocols, refuseSession } from "./channels.ts";
import { containerOf, nodeOf, podOf } from "./container.ts";

/**
 * Serves `pods/exec` and `pods/portforward` over a WebSocket until either side is done. Throws an ApiError while the
 * request can still be answered over HTTP.
 */
export async function connectPod(
	access: PodAccess | undefined,
	pod: JsonObject,
	subresource: string,
	query: URLSearchParams,
	upgrade: Upgrade,
): Promise<void> {
	if (subresource === "attach")
		throw badRequest(
			"attaching to a running container is not possible in the sandbox; kubectl logs -f shows what it writes, kubectl exec runs a command beside it",
		);
	if (subresource === "portforward") {
		checkHost(pod);
		requireWebSocket(upgrade.request);
		if (!access) throw noKubelet();
		const { forwardPorts, forwardProtocol } = await import("./port-forward.ts");
		const socket = await accept(upgrade, [forwardProtocol]);
		return forwardPorts(socket, (port) => access.connect(podOf(pod), port));
	}
	const container = containerOf(pod, query.get("container") ?? "");
	checkHost(pod);
	const flag = (key: string) =>
		["true", "1"].includes(query.get(key) ?? "false");
	if (!["stdin", "stdout", "stderr"].some(flag))
		throw badRequest("you must specify at least 1 of stdin, stdout, stderr");
	requireWebSocket(upgrade.request);
	if (!access) throw noKubelet();
	const socket = await accept(upgrade, commandProtocols);
	let session: ReturnType<PodAccess["exec"]>;
	try {
		session = access.exec(podOf(pod), {
			container,
			command: query.getAll("command"),
			stdin: flag("stdin"),
			tty: flag("tty"),
		});
	} catch (error) {
		return refuseSession(socket, asApiError(asRefusal(error)).status());
	}
	await carrySession(socket, session);
}

function checkHost(pod: JsonObject): void {
	if (!nodeOf(pod))
		throw badRequest(`pod ${podOf(pod).name} does not have a host assigned`);
}

function requireWebSocket(request: IncomingMessage): void {
	const asked = request.headers.upgrade ?? "";
	if (asked.toLowerCase() !== "websocket")
		throw badRequest(
			asked
				? `the sandbox does not speak ${asked}, only WebSocket; kubectl 1.31 or newer uses it`
				: "Upgrade request required",
		);
}

/** Throws BadRequest if the client offers none of `protocols`. */
async function accept(
	{ request, socket, head }: Upgrade,
	protocols: readonly string[],
): Promise<WebSocket> {
	const offered = (request.headers["sec-websocket-protocol"] ?? "")
		.split(",")
		.map((one) => one.trim());
	const chosen = protocols.find((one) => offered.includes(one));
	if (!chosen)
		throw badRequest(
			`unable to negotiate protocol: client supports [${offered.join(" ")}], server accepts [${protocols.join(" ")}]`,
		);
	const { WebSocketServer } = await import("ws");
	const server = new WebSocketServer({
		noServer: true,
		perMessageDeflate: false,
	});
	// By the letter of RFC 6455 `SPDY/3.1+portforward.k8s.io` is no protocol's name and ws refuses it: said past ws.
	delete request.headers["sec-websocket-protocol"];
	server.on("headers", (headers) =>
		headers.push(`Sec-WebSocket-Protocol: ${chosen}`),
	);
	return new Promise((resolve, reject) => {
		server.on("wsClientError", reject);
		server.handleUpgrade(request, socket, head, resolve);
	});
}
