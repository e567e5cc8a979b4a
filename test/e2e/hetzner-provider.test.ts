import { once } from "node:events";
import {
	createServer,
	type IncomingMessage,
	request as httpRequest,
	type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { startFakeCloud } from "../../fake-cloud/server.ts";
import { createHetznerCloud } from "../../operator/providers/hetzner-cloud/provider.ts";
import { FakeClock } from "../support/fake-clock.ts";
import {
	type Cut,
	describeProvider,
	describeProvisioning,
	type ProvisioningHarness,
} from "../support/provider-conformance.ts";
import { quietLog } from "../support/quiet-log.ts";

const token = "conformance";

/** The bundled fake cloud, reached through a proxy that counts writes and can lose an answer. */
async function start(): Promise<ProvisioningHarness> {
	const clock = new FakeClock();
	const cloud = await startFakeCloud({
		dataDir: ":memory:",
		doorPort: false,
		tokens: [{ token }],
		clock,
		random: () => 0.5,
		log: quietLog(),
	});
	const direct = new URL(cloud.url);
	let writes = 0;
	let next: Cut | undefined;

	function forward(request: IncomingMessage, response: ServerResponse): void {
		if (request.method !== "GET") writes += 1;
		const cut = request.method === "GET" ? undefined : dueCut();
		const drop = () => {
			cut?.then?.();
			request.socket.resetAndDestroy();
		};
		if (cut?.when === "before its effect") return drop();
		const onward = httpRequest(
			{
				host: direct.hostname,
				port: direct.port,
				path: request.url,
				method: request.method,
				headers: request.headers,
			},
			(answer) => {
				if (cut) {
					answer.resume().on("end", drop);
					return;
				}
				response.writeHead(answer.statusCode ?? 0, answer.headers);
				answer.pipe(response);
			},
		);
		onward.on("error", () => request.socket.destroy());
		request.pipe(onward);
	}

	/** The cut that is for this write, if any is. */
	function dueCut(): Cut | undefined {
		if (!next) return undefined;
		const due = next.write === 1 ? next : undefined;
		next = due ? undefined : { ...next, write: next.write - 1 };
		return due;
	}

	const proxy = createServer(forward);
	proxy.listen(0, "127.0.0.1");
	await once(proxy, "listening");
	const { port } = proxy.address() as AddressInfo;

	async function call<T>(
		method: string,
		path: string,
		body?: unknown,
	): Promise<T> {
		const answer = await fetch(new URL(`/v1${path}`, direct), {
			method,
			headers: {
				authorization: `Bearer ${token}`,
				"content-type": "application/json",
			},
			...(body === undefined ? {} : { body: JSON.stringify(body) }),
		});
		const text = await answer.text();
		if (!answer.ok) throw new Error(`${method} ${path}: ${text}`);
		return (text === "" ? {} : JSON.parse(text)) as T;
	}

	const servers = new Map<number, string>();
	for (const name of ["n1", "n2", "n3", "stranger"]) {
		const { server } = await call<{ server: { id: number } }>(
			"POST",
			"/servers",
			{ name, server_type: "cx22", image: "ubuntu-24.04", location: "fsn1" },
		);
		servers.set(server.id, name);
	}
	await clock.advance(60_000);
	const idOf = (name: string) =>
		[...servers].find(([, each]) => each === name)?.[0] as number;

	interface Wire {
		id: number;
		name: string;
		services: {
			protocol: string;
			listen_port: number;
			destination_port: number;
		}[];
		targets: { type: string; server?: { id: number } }[];
	}
	const balancers = async () =>
		(await call<{ load_balancers: Wire[] }>("GET", "/load_balancers"))
			.load_balancers;
	const named = async (name: string) =>
		(await balancers()).find((each) => each.name === name)?.id as number;

	return {
		provider: (clusterId) =>
			createHetznerCloud({
				endpoint: `http://127.0.0.1:${port}/v1`,
				token: async () => token,
				location: "fsn1",
				clusterId,
				clock,
				random: () => 0.5,
				log: quietLog(),
			}),
		later: (ms) => clock.advance(ms),
		nodes: ["n1", "n2", "n3"].map((node, at) => ({
			node,
			addresses: [`10.0.0.${at + 1}`],
			// One by providerID, the others by name.
			...(at === 0 ? { providerId: `hcloud://${idOf(node)}` } : {}),
		})),
		addresses: [],
		async balancers() {
			return (await balancers()).map(({ name, services, targets }) => ({
				name,
				listeners: services
					.map(
						(each) =>
							`${each.protocol.toUpperCase()}/${each.listen_port}->${each.destination_port}`,
					)
					.sort(),
				targets: targets
					.map((each) => servers.get(each.server?.id ?? 0) ?? each.type)
					.sort(),
			}));
		},
		async addForeign(name, listenPort) {
			const path = `/load_balancers/${await named(name)}/actions`;
			for (const [command, body] of [
				[
					"add_service",
					{
						protocol: "tcp",
						listen_port: listenPort,
						destination_port: listenPort,
					},
				],
				["add_target", { type: "server", server: { id: idOf("stranger") } }],
				[
					"add_target",
					{
						type: "label_selector",
						label_selector: { selector: "pool=extra" },
					},
				],
			] as const) {
				await call("POST", `${path}/${command}`, body);
				await clock.advance(60_000);
			}
		},
		async remove(name) {
			await call("DELETE", `/load_balancers/${await named(name)}`);
			await clock.advance(60_000);
		},
		cut(cut) {
			next = cut;
		},
		writes: () => writes,
		async close() {
			proxy.close();
			proxy.closeAllConnections();
			await cloud.close();
		},
	};
}

describeProvider("HetznerCloud on the fake cloud", start, describeProvisioning);
