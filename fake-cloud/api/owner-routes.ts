import { isIP } from "node:net";
import { type Request, type Response, Router } from "express";
import { z } from "zod";
import { type Clock } from "../../operator/clock.ts";
import type { Faults } from "../faults/faults.ts";
import type { Effect, Target } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import type { Actions } from "./actions.ts";
import { ApiError, invalidInput, notFound, notUnique } from "./api-error.ts";
import { applyEffect } from "./effects.ts";
import { algorithm, id, labels, parse, resourceName } from "./input.ts";
import type { Fault } from "./live.ts";
import type { LiveFeed } from "./live-feed.ts";
import { liveBalancer, liveServer } from "./live-view.ts";
import type { Engine } from "../engine/engine.ts";

const match = z.object({
	method: z.string().min(1).optional(),
	path: z
		.string()
		.max(1000)
		.refine(isRegularExpression, "must be a regular expression")
		.optional(),
	project: z.string().optional(),
});

const milliseconds = z.number().min(0).max(600_000);

const effect = z.discriminatedUnion(
	"kind",
	[
		z.object({
			kind: z.literal("latency"),
			ms: milliseconds,
			jitterMs: milliseconds.optional(),
		}),
		z.object({
			kind: z.literal("error"),
			status: z.int().min(400).max(599),
			code: z.string().optional(),
			message: z.string().optional(),
			retryAfterSeconds: z.int().min(0).optional(),
		}),
		z.object({ kind: z.literal("rate-limit") }),
		z.object({
			kind: z.literal("garbage"),
			body: z.string().optional(),
			contentType: z.string().optional(),
		}),
		z.object({ kind: z.literal("drop-response") }),
		z.object({ kind: z.literal("drop-request") }),
		z.object({ kind: z.literal("action-stuck") }),
		z.object({
			kind: z.literal("action-failed"),
			code: z.string().optional(),
			message: z.string().optional(),
		}),
		z.object({
			kind: z.literal("quota"),
			resource: z.enum(["load_balancer", "server", "network"]),
			limit: z.int().min(0),
		}),
	],
	{ error: "must be a known kind of fault" },
);

const fault = z.object({
	id: z.string().min(1).max(100).optional(),
	match: match.optional(),
	count: z.int().min(1).optional(),
	probability: z.number().min(0).max(1).optional(),
	after: z.int().min(0).optional(),
	effect,
});

const faultList = z.object({
	faults: z.array(fault).max(100),
	seed: z.int().optional(),
});

const edit = z.object({
	id,
	edit: z.discriminatedUnion(
		"do",
		[
			z.object({ do: z.literal("delete") }),
			z.object({
				do: z.literal("update"),
				name: resourceName.optional(),
				labels: labels.optional(),
			}),
			z.object({
				do: z.literal("delete_service"),
				port: z.int(),
				transport: z.enum(["tcp", "udp"]).optional(),
			}),
			z.object({ do: z.literal("remove_target"), key: z.string() }),
			z.object({ do: z.literal("change_algorithm"), algorithm }),
			z.object({ do: z.literal("change_protection"), on: z.boolean() }),
			z.object({ do: z.literal("set_public_interface"), on: z.boolean() }),
			z.object({
				do: z.literal("set_status"),
				status: z.enum(["running", "off"]),
			}),
		],
		{ error: "must be a known edit" },
	),
});

export interface OwnerOptions {
	clock: Clock;
	store: Store;
	engine: Engine;
	actions: Actions;
	faults: Faults;
	feed: LiveFeed;
}

const heartbeatMs = 15_000;
/** A follower that reads so slowly is cut off; it comes back and resumes. */
const backlogBytes = 4 * 1024 * 1024;

/** `/fairlead`: the cloud as its owner sees and troubles it; see live.ts for what goes in and out. */
export function ownerRoutes(options: OwnerOptions): Router {
	const { faults, actions, feed } = options;
	const router = Router();
	router.use(sameOrigin);
	const letGo = () => actions.release(faults.holders());
	const answer = (response: Response) =>
		response.json({ faults: faults.list(), seed: faults.seed });

	router.get(
		"/state",
		(_request, response) => void response.json(feed.state()),
	);
	router.get("/events", (request, response) =>
		follow(options, request, response),
	);
	router.get("/faults", (_request, response) => void answer(response));
	router.put("/faults", (request, response) => {
		const input = parse(faultList, request.body);
		faults.replace(input.faults as Fault[], input.seed);
		letGo();
		answer(response);
	});
	router.delete("/faults", (_request, response) => {
		faults.replace([]);
		letGo();
		answer(response);
	});
	router.delete("/faults/:id", (request, response) => {
		if (!faults.remove(request.params.id))
			throw notFound("fault", request.params.id);
		letGo();
		answer(response);
	});
	router.post(
		"/edits",
		(request, response) => void response.json(applyEdit(options, request.body)),
	);
	return router;
}

function follow(
	{ clock, feed }: OwnerOptions,
	request: Request,
	response: Response,
): void {
	const asked = request.get("last-event-id") ?? request.query["lastEventId"];
	response.writeHead(200, {
		"Content-Type": "text/event-stream",
		"Cache-Control": "no-store",
	});
	response.write(": follow\n\n");
	const leave = feed.follow(
		typeof asked === "string" && asked !== "" ? asked : undefined,
		({ id, event, data }) => {
			response.write(`id: ${id}\nevent: ${event}\ndata: ${data}\n\n`);
			if (response.writableLength > backlogBytes) response.destroy();
		},
		() => response.end(),
	);
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

function applyEdit({ store, engine }: OwnerOptions, body: unknown) {
	const input = parse(edit, body);
	const record =
		store.get("load_balancer", input.id) ?? store.get("server", input.id);
	if (!record) throw notFound("load_balancer or server", input.id);
	const wanted = input.edit;
	if (wanted.do === "update" && wanted.name !== undefined) {
		const holder = store.byName(record.kind, record.project, wanted.name);
		if (holder && holder.id !== record.id) throw notUnique(record.kind, "name");
	}
	const effect: Effect =
		wanted.do === "remove_target"
			? { do: "remove_target", target: targetOfKey(wanted.key) }
			: (wanted as Effect);
	store.transaction((tx) =>
		applyEffect(tx, {
			resources: [{ id: record.id, type: record.kind }],
			effect,
		}),
	);
	if (record.kind === "server") {
		const after = store.get("server", record.id);
		return { server: after ? liveServer(after, store) : null };
	}
	const after = store.get("load_balancer", record.id);
	return { balancer: after ? liveBalancer(after, store, engine) : null };
}

function targetOfKey(key: string): Target {
	const [kind, ...rest] = key.split(":");
	const value = rest.join(":");
	if (kind === "ip") return { type: "ip", ip: { ip: value } };
	if (kind === "server" && /^\d+$/.test(value))
		return {
			type: "server",
			server: { id: Number(value) },
			use_private_ip: false,
		};
	throw invalidInput([
		{
			name: "edit.key",
			messages: [`must be server:ID or ip:ADDRESS, got ${JSON.stringify(key)}`],
		},
	]);
}

/**
 * A page from elsewhere, open in a browser on this machine, has no business here. Nor has one whose name was made to
 * point here (DNS rebinding): browsers are answered only under an address or localhost, which no name server hands out.
 */
function sameOrigin(
	request: Request,
	_response: Response,
	next: () => void,
): void {
	const origin = request.get("origin");
	if (
		origin !== undefined &&
		(!URL.canParse(origin) || new URL(origin).host !== request.get("host"))
	)
		throw new ApiError(
			"forbidden",
			`requests from pages of ${origin} are not allowed`,
		);
	const browser =
		origin !== undefined || request.get("sec-fetch-site") !== undefined;
	if (browser && !isLocalName(request.hostname))
		throw new ApiError(
			"forbidden",
			`pages are answered under an address or localhost, not under ${request.hostname}`,
		);
	next();
}

function isLocalName(host: string): boolean {
	return (
		isIP(host.replace(/^\[|\]$/g, "")) !== 0 ||
		host === "localhost" ||
		host.endsWith(".localhost")
	);
}

function isRegularExpression(text: string): boolean {
	try {
		return Boolean(new RegExp(text));
	} catch {
		return false;
	}
}
