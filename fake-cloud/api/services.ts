import type {
	HealthCheck,
	HealthCheckHttp,
	Service,
	ServiceHttp,
} from "../store/records.ts";
import type { Engine } from "../engine/engine.ts";
import { transportOf } from "../store/listener-key.ts";
import { ApiError, invalidInput } from "./api-error.ts";
import type { ServiceInput, ServiceUpdateInput } from "./input.ts";

type HealthCheckInput = NonNullable<ServiceInput["health_check"]>;

/**
 * A service with Hetzner's defaults filled in: http listens on 80 and goes to 80, its health is checked as http; tcp
 * needs both ports. udp is not Hetzner's: as tcp, but its target is checked on another port if nothing there speaks TCP.
 *
 * @throws ApiError invalid_input; unsupported_error for https, and for udp where the engine has none
 */
export function newService(
	input: ServiceInput,
	{ transports }: Pick<Engine, "transports">,
): Service {
	const { protocol } = input;
	if (!transports.includes(transportOf(input)))
		throw new ApiError(
			"unsupported_error",
			`this cloud's network carries no ${protocol}; leave the service out`,
		);
	const bare = protocol === "tcp" || protocol === "udp";
	const byDefault = bare ? undefined : 80;
	const port = (name: "listen_port" | "destination_port") => {
		const value = input[name] ?? byDefault;
		if (value !== undefined) return value;
		throw invalidInput([
			{ name, messages: [`is required for protocol ${protocol}`] },
		]);
	};
	const destination = port("destination_port");
	return checked({
		protocol,
		listen_port: port("listen_port"),
		destination_port: destination,
		proxyprotocol: input.proxyprotocol ?? false,
		...(!bare && { http: serviceHttp(input.http ?? {}) }),
		health_check: healthCheck(input.health_check ?? {}, {
			protocol: bare ? "tcp" : "http",
			port: destination,
			interval: 15,
			timeout: 10,
			retries: 3,
		}),
		...extras(input, {}),
	});
}

/** A service with what the update names replaced. */
export function updatedService(
	service: Service,
	input: ServiceUpdateInput,
): Service {
	const protocol = input.protocol ?? service.protocol;
	return checked({
		protocol,
		listen_port: service.listen_port,
		destination_port: input.destination_port ?? service.destination_port,
		proxyprotocol: input.proxyprotocol ?? service.proxyprotocol,
		...(protocol !== "tcp" &&
			protocol !== "udp" && {
				http: {
					...(service.http ?? serviceHttp({})),
					...defined(input.http ?? {}),
				},
			}),
		health_check: healthCheck(input.health_check ?? {}, service.health_check),
		...extras(input, service),
	});
}

function checked(service: Service): Service {
	if (service.protocol === "https" || service.http?.redirect_http)
		throw new ApiError(
			"unsupported_error",
			"this cloud has no certificates, so no service of protocol https and no redirect_http; use tcp and terminate TLS behind the balancer",
		);
	if (service.http && service.http.certificates.length > 0)
		throw new ApiError(
			"unsupported_error",
			"this cloud has no certificates; leave http.certificates empty",
		);
	if (service.protocol === "udp" && service.proxyprotocol)
		throw invalidInput([
			{
				name: "proxyprotocol",
				messages: ["is for protocols tcp and http; udp has no connection"],
			},
		]);
	if (service.http && service.affinity_seconds)
		throw invalidInput([
			{
				name: "affinity_seconds",
				messages: [
					"is for protocols tcp and udp; http has http.sticky_sessions",
				],
			},
		]);
	return service;
}

function serviceHttp(input: NonNullable<ServiceInput["http"]>): ServiceHttp {
	return {
		cookie_name: "HCLBSTICKY",
		cookie_lifetime: 300,
		certificates: [],
		redirect_http: false,
		sticky_sessions: false,
		timeout_idle: 30,
		...defined(input),
	};
}

function healthCheck(input: HealthCheckInput, base: HealthCheck): HealthCheck {
	const { http, ...rest } = input;
	const check = { ...base, ...defined(rest) };
	if (check.protocol === "http")
		check.http = healthCheckHttp(http ?? {}, base.http);
	else delete check.http;
	return check;
}

function healthCheckHttp(
	input: NonNullable<HealthCheckInput["http"]>,
	base: HealthCheckHttp = {
		domain: "",
		path: "/",
		response: "",
		status_codes: ["2??", "3??"],
		tls: false,
	},
): HealthCheckHttp {
	const { domain, response, ...rest } = input;
	return {
		...base,
		...defined(rest),
		...(domain !== undefined && { domain: domain ?? "" }),
		...(response !== undefined && { response: response ?? "" }),
	};
}

function extras(
	input: Pick<ServiceInput, "source_ranges" | "affinity_seconds">,
	base: Pick<Service, "source_ranges" | "affinity_seconds">,
): Pick<Service, "source_ranges" | "affinity_seconds"> {
	const ranges =
		input.source_ranges === undefined
			? base.source_ranges
			: input.source_ranges;
	const seconds =
		input.affinity_seconds === undefined
			? base.affinity_seconds
			: input.affinity_seconds;
	return {
		...(ranges && ranges.length > 0 && { source_ranges: ranges }),
		...(seconds && { affinity_seconds: seconds }),
	};
}

/** Without the fields that are undefined, so that a spread leaves what they would hide. */
function defined<T extends object>(
	input: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
	return Object.fromEntries(
		Object.entries(input).filter(([, value]) => value !== undefined),
	) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
