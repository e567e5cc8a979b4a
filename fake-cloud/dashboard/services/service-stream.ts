import type { ServerResponse } from "node:http";
import type { Clock } from "../../../operator/clock.ts";
import type { ServiceFeed } from "./service-feed.ts";

const heartbeatMs = 15_000;
/** A page that reads this much too slowly is cut off, and comes back to all there is then. */
const backlogBytes = 4 * 1024 * 1024;

/**
 * `GET /dashboard/services`: server-sent events `services` (all there are, once), `service` and `service-removed`; see
 * ServiceEvent. It cannot be resumed: who comes back begins with all there are.
 */
export function streamServices(
	feed: ServiceFeed,
	clock: Clock,
	response: ServerResponse,
): void {
	response.writeHead(200, {
		"Content-Type": "text/event-stream",
		"Cache-Control": "no-store",
	});
	const leave = feed.follow(({ name, data }) => {
		response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
		if (response.writableLength > backlogBytes) response.destroy();
	});
	let cancel = () => {};
	const beat = () => {
		response.write(": beat\n\n");
		cancel = clock.after(heartbeatMs, beat);
	};
	cancel = clock.after(heartbeatMs, beat);
	response.on("close", () => {
		leave();
		cancel();
	});
}
