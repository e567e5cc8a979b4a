import type { WebSocket } from "ws";
import type { ExecSession } from "../../kubelet/pod-access.ts";
import type { JsonObject } from "../schema/decode.ts";

/** Subprotocols of remote commands, best first: v5 can end stdin, v4 cannot. */
export const commandProtocols = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

/** The first byte of a message says which stream it is of (k8s.io/apimachinery/pkg/util/remotecommand). */
const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, close: 255 };

/** Carries a command's streams over a WebSocket until it ends or the client goes. */
export async function carrySession(
	socket: WebSocket,
	session: ExecSession,
): Promise<void> {
	const gone = new Promise<void>((resolve) => socket.on("close", resolve));
	void gone.then(() => session.kill());
	// What is wrong with a connection is followed by its close.
	socket.on("error", () => {});
	receive(socket, session);
	const sent = Promise.all([
		send(socket, channel.stdout, session.stdout),
		session.stderr && send(socket, channel.stderr, session.stderr),
	]);
	const [end] = await Promise.all([session.ended, sent]);
	await tell(socket, statusOf(end));
	socket.close(1000);
	await gone;
}

/** Ends a session that never began. */
export async function refuseSession(
	socket: WebSocket,
	status: JsonObject,
): Promise<void> {
	socket.on("error", () => {});
	await tell(socket, status);
	socket.close(1000);
}

function receive(socket: WebSocket, { stdin }: ExecSession): void {
	// A command may end without reading all it is given.
	stdin?.on("error", () => {});
	stdin?.on("drain", () => socket.resume());
	socket.on("message", (message: Buffer) => {
		const [to, first] = message;
		if (to === channel.close && first === channel.stdin) stdin?.end();
		if (to !== channel.stdin || !stdin?.writable) return;
		if (message.length > 1 && !stdin.write(message.subarray(1))) socket.pause();
	});
}

async function send(
	socket: WebSocket,
	to: number,
	from: AsyncIterable<Buffer>,
): Promise<void> {
	const prefix = Buffer.from([to]);
	for await (const chunk of from)
		await write(socket, Buffer.concat([prefix, chunk]));
}

const tell = (socket: WebSocket, status: JsonObject) =>
	write(
		socket,
		Buffer.concat([
			Buffer.from([channel.error]),
			Buffer.from(JSON.stringify(status)),
		]),
	);

/** Resolves when the message has left, or has nowhere to go any more. */
function write(socket: WebSocket, message: Buffer): Promise<void> {
	return new Promise((resolve) => socket.send(message, () => resolve()));
}

function statusOf(end: Awaited<ExecSession["ended"]>): JsonObject {
	if ("problem" in end)
		return {
			metadata: {},
			status: "Failure",
			reason: "InternalError",
			message: `Internal error occurred: ${end.problem}`,
			details: { causes: [{ message: end.problem }] },
			code: 500,
		};
	if (end.exitCode === 0) return { metadata: {}, status: "Success" };
	return {
		metadata: {},
		status: "Failure",
		reason: "NonZeroExitCode",
		message: `command terminated with non-zero exit code: exit status ${end.exitCode}`,
		details: {
			causes: [{ reason: "ExitCode", message: String(end.exitCode) }],
		},
	};
}
