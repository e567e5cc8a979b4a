import { createServer } from "node:http";
import type { Registry } from "prom-client";
import { listen } from "./listen.ts";

/** Why a role is not ready; empty when it is. */
export type NotReady = () => string[];

export interface ProbeServerOptions {
	host: string;
	/** 0: any free port. */
	port: number;
	metrics: Registry;
	notReady: NotReady;
}

export interface ProbeServer {
	port: number;
	close(): Promise<void>;
}

/**
 * Serves /livez, /readyz and /metrics for a long-running role. /livez answers while the event loop turns; /readyz
 * answers 503 with one reason a line while the role cannot do its work. Throws ListenFailed.
 */
export async function startProbeServer(
	options: ProbeServerOptions,
): Promise<ProbeServer> {
	const pages: Record<string, () => Promise<Page> | Page> = {
		"/livez": () => plain(200, "ok\n"),
		"/readyz": () => {
			const reasons = options.notReady();
			return reasons.length === 0
				? plain(200, "ok\n")
				: plain(503, `${reasons.join("\n")}\n`);
		},
		"/metrics": async () => ({
			status: 200,
			type: options.metrics.contentType,
			body: await options.metrics.metrics(),
		}),
	};
	// Three pages need no framework, which would be a tenth of the memory of a role that has no other HTTP to serve.
	const answer = async (method: string, path: string): Promise<Page> => {
		const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
		if (!page) return plain(404, `there is no ${path}\n`);
		if (method !== "GET" && method !== "HEAD")
			return plain(405, `${path} takes GET only\n`);
		try {
			return await page();
		} catch (error) {
			return plain(500, `${(error as Error).message}\n`);
		}
	};
	// Three pages need no framework, which would be a tenth of the memory of a role that has no other HTTP to serve.
	const server = createServer((request, response) => {
		const { method = "GET", url = "" } = request;
		void answer(method, url.split("?")[0] ?? "").then(
			({ status, type, body }) => {
				response.writeHead(status, { "content-type": type });
				response.end(method === "HEAD" ? undefined : body);
			},
		);
	});
	const port = await listen(server, options.host, options.port);
	return {
		port,
		close: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				server.closeAllConnections();
			}),
	};
}

interface Page {
	status: number;
	type: string;
	body: string;
}

function plain(status: number, body: string): Page {
	return { status, type: "text/plain; charset=utf-8", body };
}
