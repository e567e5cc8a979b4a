import { isFairleadError } from "../errors.ts";
import {
	type Connection,
	type Credentials,
	type CredentialSources,
	sameCredentials,
} from "./connection.ts";
import { execCredentials } from "./exec-credentials.ts";
import {
	contentOf,
	mapping,
	pairProblem,
	pathIn,
	pem,
	type Section,
	text,
	texts,
	wrong,
} from "./kubeconfig-fields.ts";

/** As client-go has it (transport/token_source.go): service account tokens are renewed long before they expire. */
const rereadMs = 60_000;

/**
 * The `credentials` of a kubeconfig's user; an exec plugin is told of `cluster` if it asks. Throws KubeconfigInvalid for
 * every mistake that shows without a server.
 */
export async function credentialsOf(
	user: Section,
	sources: CredentialSources,
	cluster: object = {},
): Promise<Connection["credentials"]> {
	refuseAuthProvider(user);
	const exec = mapping(user, "exec");
	if (exec) {
		const others = ["token", "tokenFile", "username"].filter((field) =>
			text(user, field),
		);
		if (others.length > 0)
			throw wrong(user, "exec", `and ${others[0]} are both given; remove one`);
		return execCredentials(exec, sources, cluster);
	}
	const read = () => readUser(user);
	const first = await read();
	const files = ["tokenFile", "client-certificate", "client-key"];
	return files.some((field) => text(user, field))
		? reread(read, first, `credentials of ${user.file}`, sources)
		: () => Promise.resolve(first);
}

/** Requests as somebody else, where the user says so (`as`, `as-groups`, `as-uid`, `as-user-extra`). */
export function impersonationHeaders(user: Section): Connection["headers"] {
	const headers: Connection["headers"] = {};
	const as = text(user, "as");
	const uid = text(user, "as-uid");
	const groups = texts(user, "as-groups");
	const extra = mapping(user, "as-user-extra");
	if (!as && (uid || groups.length > 0 || extra))
		throw wrong(
			user,
			"as",
			"is missing; as-uid, as-groups and as-user-extra need it",
		);
	if (as) headers["impersonate-user"] = as;
	if (uid) headers["impersonate-uid"] = uid;
	if (groups.length > 0) headers["impersonate-group"] = groups;
	for (const key of Object.keys(extra?.fields ?? {}))
		headers[`impersonate-extra-${encodeURIComponent(key)}`] = texts(
			extra as Section,
			key,
		);
	for (const value of Object.values(headers).flat())
		if (!/^[\x20-\x7e]*$/.test(value))
			throw wrong(
				user,
				"as",
				`…: "${value}" does not fit into a header; use ASCII`,
			);
	return headers;
}

function refuseAuthProvider(user: Section): void {
	const provider = mapping(user, "auth-provider");
	if (!provider) return;
	const name = text(provider, "name") ?? "unnamed";
	throw wrong(
		user,
		"auth-provider",
		`(${name}) is no longer part of Kubernetes (since 1.26); use the provider's exec plugin instead`,
	);
}

async function readUser(user: Section): Promise<Credentials> {
	const authorization = await authorizationOf(user);
	const identity = await identityOf(user);
	return { ...(authorization ? { authorization } : {}), ...identity };
}

/** A token in a file wins over one in the kubeconfig (k8s.io/client-go clientcmd/api, AuthInfo). */
async function authorizationOf(user: Section): Promise<string | undefined> {
	const tokenFile = pathIn(user, "tokenFile");
	const token = tokenFile
		? (await contentOf(user, "tokenFile", tokenFile)).trim()
		: text(user, "token");
	if (tokenFile && !token)
		throw wrong(user, "tokenFile", `names ${tokenFile}, which is empty`);
	const username = text(user, "username");
	const password = text(user, "password");
	if (token && username)
		throw wrong(user, "username", "and a token are both given; remove one");
	if (token) {
		// Anything else would be refused by node:http, with the token in its message.
		if (!/^[\x21-\x7e]+$/.test(token))
			throw wrong(
				user,
				tokenFile ? "tokenFile" : "token",
				"holds characters no token has; copy it again",
			);
		return `Bearer ${token}`;
	}
	if (!username && password)
		throw wrong(user, "username", "is missing beside password; add it");
	return username
		? `Basic ${Buffer.from(`${username}:${password ?? ""}`).toString("base64")}`
		: undefined;
}

async function identityOf(user: Section): Promise<Credentials> {
	const certificate = await pem(user, "client-certificate");
	const key = await pem(user, "client-key");
	if (!certificate && !key) return {};
	if (!certificate)
		throw wrong(
			user,
			"client-certificate",
			"is missing beside client-key; add it",
		);
	if (!key)
		throw wrong(
			user,
			"client-key",
			"is missing beside client-certificate; add it",
		);
	const problem = pairProblem(certificate.pem, key.pem);
	if (problem)
		throw wrong(
			user,
			"client-key",
			`and client-certificate cannot be used together (${problem}); give a pair that belongs together, unencrypted`,
		);
	return { certificate: certificate.pem, key: key.pem };
}

/** Reads again each minute, and at once when the server refused what is known; keeps what it has if that fails. */
function reread(
	read: () => Promise<Credentials>,
	first: Credentials,
	what: string,
	{ clock, log }: CredentialSources,
): Connection["credentials"] {
	let known = first;
	let readAt = clock.monotonic();
	let reading: Promise<Credentials> | undefined;
	const again = async () => {
		try {
			known = await read();
		} catch (error) {
			if (!isFairleadError(error)) throw error;
			log.warn(
				{ err: error },
				`${what} cannot be read again; using what is known`,
			);
		}
		readAt = clock.monotonic();
		reading = undefined;
		return known;
	};
	return (refused) => {
		const stale = refused !== undefined && sameCredentials(refused, known);
		if (!stale && clock.monotonic() - readAt < rereadMs)
			return Promise.resolve(known);
		reading ??= again();
		return reading;
	};
}
