/**
 * Every error Fairlead can name. `retryable` says whether trying the same again may succeed without anyone's help;
 * `help` says what a user can do. `docs/reference/errors.md` holds the same table; a test keeps the two the same.
 */
export const errors = {
	FlagInvalid: {
		retryable: false,
		help: "Correct the flag the message names; `fairlead COMMAND --help` lists all of them.",
	},
	ListenFailed: {
		retryable: false,
		help: "Choose another address or port, or stop what holds it.",
	},
	KubeconfigInvalid: {
		retryable: false,
		help: "Correct the kubeconfig the message names, or pass another with --kubeconfig.",
	},
	KubeUnreachable: {
		retryable: true,
		help: "Check that the API server runs and that its address in the kubeconfig is right.",
	},
	KubeUnauthorized: {
		retryable: true,
		help: "The API server does not accept the credentials of the kubeconfig; renew them.",
	},
	KubeForbidden: {
		retryable: true,
		help: "Grant the service account the verb the message names; the chart's ClusterRole lists all of them.",
	},
	KubeNotFound: {
		retryable: false,
		help: "The object is gone, or its kind is not installed; apply crds/ if it is a fairlead.dev kind.",
	},
	KubeConflict: {
		retryable: true,
		help: "Somebody else changed the object first; Fairlead reads it again and decides anew.",
	},
	KubeGone: {
		retryable: true,
		help: "The API server no longer has that resourceVersion; Fairlead lists again.",
	},
	KubeInvalid: {
		retryable: false,
		help: "The API server refused the object; the message names the field.",
	},
	KubeTooManyRequests: {
		retryable: true,
		help: "The API server asked to slow down; Fairlead waits as long as it said.",
	},
	KubeServerError: {
		retryable: true,
		help: "The API server failed; its own log says why.",
	},
	KubeBadAnswer: {
		retryable: true,
		help: "What answered is no Kubernetes API server, or something between garbles it.",
	},
	NotLeading: {
		retryable: true,
		help: "Another instance leads, or none can reach the API server; this one stands by and writes nothing.",
	},
	CloudUnreachable: {
		retryable: true,
		help: "Check the endpoint of the BalancerClass, and that the cloud API answers there.",
	},
	CloudUnauthorized: {
		retryable: true,
		help: "The cloud does not accept the token; correct the Secret that tokenSecretRef names.",
	},
	CloudTokenMissing: {
		retryable: true,
		help: "Create the Secret that tokenSecretRef of the BalancerClass names, with key `token`, and let the controller read it (value `tokenSecrets` of the chart).",
	},
	CloudRateLimited: {
		retryable: true,
		help: "The cloud asked to slow down; Fairlead waits as long as it said.",
	},
	CloudServerError: {
		retryable: true,
		help: "The cloud API failed; Fairlead tries again with growing pauses.",
	},
	CloudBadAnswer: {
		retryable: true,
		help: "What answered is not a Hetzner Cloud API; check the endpoint of the BalancerClass.",
	},
	CloudBusy: {
		retryable: true,
		help: "The cloud is still working on the same balancer; Fairlead waits and looks again.",
	},
	CloudNotFound: {
		retryable: true,
		help: "Something the balancer needs is gone from the cloud; Fairlead looks again.",
	},
	CloudNameTaken: {
		retryable: true,
		help: "A balancer of that name exists and is not this Service's; rename or delete it.",
	},
	CloudQuota: {
		retryable: true,
		help: "The cloud project's quota is used up; raise it or delete what is not needed.",
	},
	CloudRefused: {
		retryable: false,
		help: "The cloud refused what the Service or its class asks for; the message names the field.",
	},
	CloudAdoptionNeeded: {
		retryable: false,
		help: "Another controller made a balancer for the Service: stop it and set annotation fairlead.dev/adopt, as the message says.",
	},
	CloudActionFailed: {
		retryable: true,
		help: "The cloud accepted the work and then failed at it; Fairlead tries again with growing pauses.",
	},
	ClassInvalid: {
		retryable: false,
		help: "Correct the field of the BalancerClass that the message names.",
	},
	AgentSuperseded: {
		retryable: true,
		help: "Two agents run for one node: end one, or give each the --node of its own machine.",
	},
	KernelDenied: {
		retryable: false,
		help: "Run it with CAP_NET_ADMIN and CAP_SYS_ADMIN, or where unprivileged user namespaces are allowed.",
	},
	KernelUnsupported: {
		retryable: false,
		help: "This kernel lacks the feature the message names; use a kernel that has it, or a mode that needs less.",
	},
	KernelFailed: {
		retryable: true,
		help: "The kernel refused what the message names; Fairlead reads its state again and repairs it.",
	},
	NetworkUnavailable: {
		retryable: false,
		help: "The message names the step that failed; use --network userspace, or make that step work.",
	},
	SandboxEnded: {
		retryable: false,
		help: "Its last words stand above; without any it was killed, perhaps for want of memory.",
	},
	StoreFull: {
		retryable: true,
		help: "The disk of --data is full; free some space, nothing acknowledged was lost.",
	},
	StoreUnusable: {
		retryable: false,
		help: "Choose another --data directory, or make the one named writable; a damaged database can be moved away.",
	},
} as const satisfies Record<string, { retryable: boolean; help: string }>;

export type ErrorCode = keyof typeof errors;

export interface FairleadErrorOptions {
	cause?: unknown;
	/** Milliseconds the other side asked to be left alone (Retry-After, RateLimit-Reset). */
	retryAfterMs?: number;
	/** What the other side calls it: `reason` of a Kubernetes Status, such as AlreadyExists beside Conflict. */
	reason?: string;
	/** Field by field what the other side objects to, where it says so. */
	fields?: readonly FieldComplaint[];
}

export interface FieldComplaint {
	/** `spec.addresses[0]` */
	field: string;
	message: string;
}

/** The only error Fairlead throws on purpose. `message` is one sentence a user can act on. */
export class FairleadError extends Error {
	override readonly name = "FairleadError";
	readonly code: ErrorCode;
	readonly retryable: boolean;
	readonly retryAfterMs: number | undefined;
	readonly reason: string | undefined;
	readonly fields: readonly FieldComplaint[];

	constructor(
		code: ErrorCode,
		message: string,
		options: FairleadErrorOptions = {},
	) {
		super(
			message,
			options.cause === undefined ? undefined : { cause: options.cause },
		);
		this.code = code;
		this.retryable = errors[code].retryable;
		this.retryAfterMs = options.retryAfterMs;
		this.reason = options.reason;
		this.fields = options.fields ?? [];
	}
}

/** True for a FairleadError, of one of `codes` if any are given. */
export function isFairleadError(
	error: unknown,
	...codes: ErrorCode[]
): error is FairleadError {
	return (
		error instanceof FairleadError &&
		(codes.length === 0 || codes.includes(error.code))
	);
}
