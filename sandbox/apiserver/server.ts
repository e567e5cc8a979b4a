import { timingSafeEqual } from "node:crypto";
import {
	type IncomingMessage,
	type ServerResponse,
	STATUS_CODES,
} from "node:http";
import { gzipSync } from "node:zlib";
import type { PodAccess } from "../kubelet/pod-access.ts";
import {
	ApiError,
	asApiError,
	badRequest,
	methodNotSupported,
} from "./api-error.ts";
import { type Body, parseBody } from "./body.ts";
import type { Answer, Call, Context } from "./context.ts";
import { discover, reviews, verbsOf } from "./discovery.ts";
import { groupVersion, type Kind, type Subresource } from "./kinds.ts";
import { parseRequest, type ResourceRequest } from "./request.ts";
import { finalizeNamespace, handleResource } from "./resources.ts";
import { connections, type Upgrade } from "./pods/connections.ts";
import { getObject, listObjects } from "./reads.ts";
import type { Json, JsonObject } from "./schema/decode.ts";
import { type StructType, structType } from "./schema/types.ts";
import { type Form, formOf, partial, table, tableOfOne } from "./table.ts";
import { version } from "./version.ts";
import { streamWatch } from "./watch.ts";

const bodyLimit = 3 * 1024 * 1024;

export interface ServerOptions {
	context: Context;
	/** Who may ask, by bearer token; none: everyone. */
	tokens: ReadonlyMap<string, string>;
	address: string;
	/** Whom to ask for logs and commands. */
	podAccess: PodAccess | undefined;
	closing: AbortSignal;
}

/** One HTTP request from its headers to the end of its answer. Never rejects. */
export async function serve(
	options: ServerOptions,
	request: IncomingMessage,
	response: ServerResponse,
): Promise<void> {
	const warnings: string[] = [];
	try {
		await route(options, request, response, warnings);
	} catch (error) {
		const failure = asApiError(error);
		if (!(error instanceof ApiError))
			options.context.log.error(
				{ err: error, method: request.method, url: request.url },
				"request failed",
			);
		if (response.headersSent) response.destroy();
		else sendJson(response, failure.code, failure.status(), warnings);
	}
}

async function route(
	options: ServerOptions,
	request: IncomingMessage,
	response: ServerResponse,
	warnings: string[],
): Promise<void> {
	const { context } = options;
	const url = new URL(request.url ?? "/", "http://localhost");
	const path = url.pathname;
	const query = url.searchParams;
	const method = request.method ?? "GET";
	const accept = request.headers.accept ?? "application/json";
	if (["/livez", "/readyz", "/healthz"].includes(path))
		return sendText(response, 200, "ok");
	const user = authenticate(options, request);
	if (path === "/version") return sendJson(response, 200, version, []);
	if (method === "GET") {
		const found = discover(context.kinds, path, accept, options.address);
		if (found)
			return sendJson(response, 200, found.object, [], found.contentType);
		if (path.startsWith("/openapi/v3")) {
			const { openApi } = await import("./openapi.ts");
			const document = openApi(context.kinds, path);
			if (document) return sendJson(response, 200, document, []);
		}
	}
	if (method === "GET" && path === "/openapi/v2")
		return sendOpenApiV2(response, accept);
	const parsed = parseRequest(method, path, query);
	if (!parsed) return sendText(response, 404, "404 page not found\n");
	const review = reviews.find(
		(one) => one.group === parsed.group && one.plural === parsed.plural,
	);
	if (review && parsed.verb === "create") {
		const { answerReview } = await import("./reviews.ts");
		const body = await read(request);
		const json = body && (await parseBody(body, typeFor(context)));
		return sendJson(response, 201, answerReview(review, user, json), []);
	}
	const kind = context.kinds.find(parsed.group, parsed.version, parsed.plural);
	if (!kind) {
		if (context.kinds.all.some((one) => one.group === parsed.group))
			throw noSuchResource();
		return sendText(response, 404, "404 page not found\n");
	}
	const call = callFor(kind, parsed, query, request, warnings);
	if (kind.deprecation) warnings.push(kind.deprecation);
	checkSubresource(kind, parsed);
	if (parsed.subresource === "log") {
		const { serveLog } = await import("./pods/log.ts");
		const pod = getObject(context, call);
		return serveLog(
			options.podAccess,
			pod,
			query,
			response,
			context.clock.now(),
		);
	}
	const form = formOf(accept);
	if (parsed.verb === "watch")
		return streamWatch(context, call, response, form, options.closing);
	const body = await read(request);
	const json =
		body && (await parseBody(body, typeFor(context), parsed.verb, kind.kind));
	const contentType = request.headers["content-type"] ?? "";
	if (parsed.verb === "list" && form !== "objects")
		return sendJson(
			response,
			200,
			listAs(context, call, form),
			warnings,
			typeOf(form),
		);
	const answer = await dispatch(context, call, contentType, json);
	sendAnswer(context, call, response, answer, form, warnings);
}

function callFor(
	kind: Kind,
	parsed: ResourceRequest,
	query: URLSearchParams,
	request: IncomingMessage,
	warnings: string[],
): Call {
	return {
		kind,
		request: parsed,
		query,
		userAgent: request.headers["user-agent"] ?? "",
		warn: (text) => warnings.push(text),
	};
}

/** One request that leaves HTTP, until its connection ends. Never rejects. */
export async function serveUpgrade(
	options: ServerOptions,
	upgrade: Upgrade,
): Promise<void> {
	const { context } = options;
	const { request, socket } = upgrade;
	// A client that goes is no failure of this server.
	socket.on("error", () => {});
	try {
		const url = new URL(request.url ?? "/", "http://localhost");
		const query = url.searchParams;
		authenticate(options, request);
		const parsed = parseRequest("GET", url.pathname, query);
		const kind =
			parsed && context.kinds.find(parsed.group, parsed.version, parsed.plural);
		const subresource = parsed?.subresource;
		if (!kind || !subresource || !connections.includes(subresource))
			throw badRequest("nothing here can be upgraded");
		const { connectPod } = await import("./pods/upgrade.ts");
		const call = callFor(kind, parsed, query, request, []);
		const pod = getObject(context, call);
		await connectPod(options.podAccess, pod, subresource, query, upgrade);
	} catch (error) {
		const failure = asApiError(error);
		if (!(error instanceof ApiError))
			context.log.error({ err: error, url: request.url }, "request failed");
		if (socket.writable)
			socket.end(refusal(failure.code, JSON.stringify(failure.status())));
	}
}

function refusal(code: number, body: string): string {
	return [
		`HTTP/1.1 ${code} ${STATUS_CODES[code] ?? ""}`,
		"Content-Type: application/json",
		`Content-Length: ${Buffer.byteLength(body)}`,
		"Connection: close",
		"",
		body,
	].join("\r\n");
}

async function dispatch(
	context: Context,
	call: Call,
	contentType: string,
	json: Json | undefined,
): Promise<Answer> {
	const { subresource } = call.request;
	if (subresource === "finalize") return finalizeNamespace(context, call, json);
	if (subresource === "binding" || subresource === "eviction") {
		const { actOnPod } = await import("./pods/actions.ts");
		return actOnPod(context, call, json);
	}
	return handleResource(context, call, contentType, json);
}

function checkSubresource(kind: Kind, request: ResourceRequest): void {
	const { subresource, verb } = request;
	if (subresource === undefined) {
		if (verb === "create" && kind.namespaced && !request.namespace)
			throw methodNotSupported(kind, "create");
		return;
	}
	if (!(kind.subresources as string[]).includes(subresource))
		throw noSuchResource();
	if (connections.includes(subresource) && ["get", "create"].includes(verb))
		throw badRequest("Upgrade request required");
	if (!verbsOf(kind, subresource as Subresource).includes(verb))
		throw methodNotSupported(kind, verb);
}

const noSuchResource = () =>
	new ApiError(
		404,
		"NotFound",
		"the server could not find the requested resource",
		{},
	);

function listAs(context: Context, call: Call, form: Form): JsonObject {
	const { items, metadata } = listObjects(context, call);
	return form === "Table"
		? table(context, call.kind, items, {
				metadata,
				include: call.query.get("includeObject"),
			})
		: {
				kind: "PartialObjectMetadataList",
				apiVersion: "meta.k8s.io/v1",
				metadata,
				items: items.map(partial),
			};
}

function sendAnswer(
	context: Context,
	{ kind, query }: Call,
	response: ServerResponse,
	{ code, object }: Answer,
	form: Form,
	warnings: string[],
): void {
	const isObjectOfKind = object["kind"] === kind.kind;
	if (form === "objects" || !isObjectOfKind)
		return sendJson(response, code, object, warnings);
	const shown =
		form === "Table"
			? tableOfOne(context, kind, object, query.get("includeObject"))
			: partial(object);
	sendJson(response, code, shown, warnings, typeOf(form));
}

const typeOf = (form: Form): string =>
	`application/json;as=${form};v=v1;g=meta.k8s.io`;

/** Types of protobuf bodies, by what the envelope says. */
function typeFor(context: Context) {
	return (apiVersion: string, kind: string): StructType | undefined => {
		if (kind === "DeleteOptions") return structType("meta.DeleteOptions");
		if (apiVersion === "autoscaling/v1" && kind === "Scale")
			return structType("autoscaling.Scale");
		if (kind === "Binding") return structType("Binding");
		if (kind === "Eviction") return structType("policy.Eviction");
		const review = reviews.find(
			(one) =>
				one.kind === kind &&
				groupVersion({ group: one.group, version: "v1" }) === apiVersion,
		);
		if (review) return structType(`${review.group.split(".")[0]}.${kind}`);
		return context.kinds.ofObject(apiVersion, kind)?.type;
	};
}

/** The name of who asks; throws Unauthorized. */
function authenticate(
	{ tokens }: ServerOptions,
	request: IncomingMessage,
): string {
	if (tokens.size === 0) return "system:anonymous";
	const given = /^Bearer (.+)$/i.exec(request.headers.authorization ?? "")?.[1];
	const bytes = Buffer.from(given ?? "");
	for (const [token, user] of tokens) {
		const expected = Buffer.from(token);
		if (bytes.length === expected.length && timingSafeEqual(bytes, expected))
			return user;
	}
	throw new ApiError(401, "Unauthorized", "Unauthorized");
}

async function read(request: IncomingMessage): Promise<Body | undefined> {
	const chunks: Buffer[] = [];
	let size = 0;
	for await (const chunk of request as AsyncIterable<Buffer>) {
		size += chunk.length;
		if (size > bodyLimit)
			throw new ApiError(
				413,
				"RequestEntityTooLarge",
				`Request entity too large: limit is ${bodyLimit}`,
			);
		chunks.push(chunk);
	}
	if (size === 0) return undefined;
	return {
		contentType: request.headers["content-type"] ?? "",
		bytes: Buffer.concat(chunks),
	};
}

function sendJson(
	response: ServerResponse,
	code: number,
	object: JsonObject,
	warnings: string[],
	contentType = "application/json",
): void {
	const plain = Buffer.from(`${JSON.stringify(object)}\n`);
	const zipped = takesGzip(response.req) && plain.length >= zipFrom;
	const text = zipped ? gzipSync(plain, { level: 1 }) : plain;
	response.writeHead(code, {
		"Content-Type": contentType,
		...(zipped ? { "Content-Encoding": "gzip" } : {}),
		...(plain.length >= zipFrom ? { Vary: "Accept-Encoding" } : {}),
		"Content-Length": text.length,
		"Cache-Control": "no-cache, private",
		...(warnings.length > 0
			? {
					Warning: [...new Set(warnings)].map(
						(one) => `299 - ${JSON.stringify(one)}`,
					),
				}
			: {}),
		...(code === 429 || code === 504 ? { "Retry-After": "1" } : {}),
	});
	response.end(text);
}

/** Smaller answers are not worth it (defaultGzipThresholdBytes in responsewriters of k8s.io/apiserver). */
const zipFrom = 128 * 1024;

function takesGzip(request: IncomingMessage): boolean {
	const accepted = String(request.headers["accept-encoding"] ?? "").split(",");
	return accepted.some((one) =>
		/^\s*gzip\s*(;\s*q=(?!0(\.0*)?\s*$).*)?$/.test(one),
	);
}

function sendText(response: ServerResponse, code: number, text: string): void {
	response.writeHead(code, { "Content-Type": "text/plain; charset=utf-8" });
	response.end(text);
}

async function sendOpenApiV2(
	response: ServerResponse,
	accept: string,
): Promise<void> {
	const { openApiV2, openApiV2Bytes, openApiV2Protobuf } = await import(
		"./openapi-v2.ts"
	);
	if (!/proto-openapi/.test(accept))
		return sendJson(response, 200, openApiV2, []);
	response.writeHead(200, { "Content-Type": openApiV2Protobuf });
	response.end(openApiV2Bytes());
}
