import {
	annotations,
	metallbAnnotations,
	oldMetallbAnnotations,
} from "../../api/names.ts";
import type { IPFamily, Service, ServiceSpec } from "../../api/core.ts";
import { compareIp, formatIp, type IpAddress, parseIp } from "./ip.ts";
import { clip, quote } from "../quote.ts";
import type { Labels } from "./labels.ts";
import type { Reason } from "./reasons.ts";

export type AddressUse = "LoadBalancer" | "ExternalIP";

/** What one Service wants of the pools: all an allocation depends on. */
export interface AddressRequest {
	/** Who holds what is allocated: the Service's UID (with a suffix of the caller's where a Service has several requests). */
	uid: string;
	namespace: string;
	name: string;
	namespaceLabels: Labels;
	serviceLabels: Labels;
	/** RFC 3339 in UTC, as the API server writes it; older comes first, then the lower UID. */
	createdAt: string;
	/** BalancerClass the Service belongs to. */
	className: string;
	use: AddressUse;
	/** Wanted families, the primary one first. */
	families: readonly IPFamily[];
	/** PreferDualStack takes what it gets; the others need every family. */
	policy: NonNullable<ServiceSpec["ipFamilyPolicy"]>;
	/** At most one per family. */
	requestedAddresses: readonly IpAddress[];
	requestedPool?: string;
	sharingKey?: string;
	/** `TCP/80`, in the Service's order. */
	ports: readonly string[];
	externalTrafficPolicy: "Cluster" | "Local";
	selector: Labels;
}

/** With `ok: false` the request is still good for adopting what the Service holds: what cannot be read is left out of it. */
export type RequestResult =
	| { ok: true; request: AddressRequest }
	| { ok: false; request: AddressRequest; reasons: Reason[] };

/** Older first, then the lower UID: who wins a tie, and who is served first. */
export function compareAge(a: AddressRequest, b: AddressRequest): number {
	if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? -1 : 1;
	return a.uid < b.uid ? -1 : a.uid > b.uid ? 1 : 0;
}

/**
 * Reads what a Service asks for from its annotations (ours and MetalLB's) and spec.loadBalancerIP. Saying the same thing
 * twice is fine; saying two different things is refused, since any choice would be a guess.
 */
export function readRequest(
	service: Service,
	context: {
		className: string;
		namespaceLabels: Labels;
		use?: AddressUse;
	},
): RequestResult {
	const { metadata, spec } = service;
	const reasons: Reason[] = [];
	const families = familiesOf(spec);
	const addresses = requestedAddresses(service, families, reasons);
	const pool = oneOf(service, "pool", reasons);
	const sharingKey = oneOf(service, "sharingKey", reasons);
	const request: AddressRequest = {
		uid: metadata.uid ?? "",
		namespace: metadata.namespace ?? "",
		name: metadata.name,
		namespaceLabels: context.namespaceLabels,
		serviceLabels: metadata.labels ?? {},
		createdAt: metadata.creationTimestamp ?? "",
		className: context.className,
		use: context.use ?? "LoadBalancer",
		families,
		policy: spec.ipFamilyPolicy ?? "SingleStack",
		requestedAddresses: addresses,
		...(pool === undefined ? {} : { requestedPool: pool }),
		...(sharingKey === undefined ? {} : { sharingKey }),
		ports: (spec.ports ?? []).map(
			({ protocol = "TCP", port }) => `${protocol}/${port}`,
		),
		externalTrafficPolicy: spec.externalTrafficPolicy ?? "Cluster",
		selector: spec.selector ?? {},
	};
	return reasons.length > 0
		? { ok: false, request, reasons }
		: { ok: true, request };
}

/** The API server always sets ipFamilies; a Service read before that, or from a file, is taken as IPv4 or as its clusterIP. */
function familiesOf(spec: ServiceSpec): IPFamily[] {
	if (spec.ipFamilies?.length) return spec.ipFamilies;
	return [spec.clusterIP?.includes(":") ? "IPv6" : "IPv4"];
}

/** MetalLB's annotation as it stands on a Service: the older of its two names counts where the newer is absent, as there. */
function metallbs(
	{ metadata }: Service,
	wish: keyof typeof metallbAnnotations,
): readonly [name: string, value: string | undefined] {
	for (const name of [metallbAnnotations[wish], oldMetallbAnnotations[wish]]) {
		const value = metadata.annotations?.[name]?.trim();
		if (value) return [name, value];
	}
	return [metallbAnnotations[wish], undefined];
}

/** The annotations by which a Service asks for a pool, or to share: what only a class with pools can heed. */
export function poolWishes({ metadata }: Service): string[] {
	const wishes = ["pool", "sharingKey"] as const;
	return wishes
		.flatMap((wish) => [
			annotations[wish],
			metallbAnnotations[wish],
			oldMetallbAnnotations[wish],
		])
		.filter((name) => metadata.annotations?.[name]?.trim());
}

/** The addresses a Service asks for, by annotations or spec.loadBalancerIP, and what of that cannot be meant. */
export function readAddressWishes(service: Service): {
	addresses: IpAddress[];
	reasons: Reason[];
} {
	const reasons: Reason[] = [];
	const families = familiesOf(service.spec);
	return { addresses: requestedAddresses(service, families, reasons), reasons };
}

/** The value of whichever annotation is there; two that differ are a reason. Empty means absent. */
function oneOf(
	service: Service,
	wish: "pool" | "sharingKey",
	reasons: Reason[],
): string | undefined {
	const ours = annotations[wish];
	const mine = service.metadata.annotations?.[ours]?.trim() || undefined;
	const [theirs, other] = metallbs(service, wish);
	if (mine === undefined || other === undefined || mine === other)
		return mine ?? other;
	reasons.push({
		code: "RequestConflict",
		message: `annotation ${ours} says ${quote(mine)} and ${theirs} says ${quote(other)}; remove one`,
	});
	return undefined;
}

/** Of one wish: who wrote thousands of them learns no more from the fourth. */
const mostReasons = 3;

function requestedAddresses(
	service: Service,
	families: readonly IPFamily[],
	reasons: Reason[],
): IpAddress[] {
	const sources = [
		[
			annotations.addresses,
			service.metadata.annotations?.[annotations.addresses],
		],
		metallbs(service, "addresses"),
		["spec.loadBalancerIP", service.spec.loadBalancerIP],
	] as const;
	const chosen = new Map<IPFamily, { from: string; address: IpAddress }>();
	for (const [from, text = ""] of sources)
		for (const address of readAddresses(from, text, families, reasons)) {
			const { family } = address;
			const other = chosen.get(family);
			if (!other) chosen.set(family, { from, address });
			else if (compareIp(other.address, address) !== 0)
				reasons.push({
					code: "RequestConflict",
					message: `${other.from} asks for ${formatIp(other.address)} and ${from} for ${formatIp(address)}; remove one`,
				});
		}
	return families.flatMap((family) => chosen.get(family)?.address ?? []);
}

function readAddresses(
	from: string,
	text: string,
	families: readonly IPFamily[],
	reasons: Reason[],
): IpAddress[] {
	const addresses: IpAddress[] = [];
	const before = reasons.length;
	for (const part of text.split(",")) {
		if (part.trim() === "") continue;
		if (reasons.length - before === mostReasons) break;
		const address = parseIp(clip(part.trim()));
		if (!address.ok) {
			reasons.push({
				code: "AddressInvalid",
				message: `${from}: ${address.reason}`,
			});
			continue;
		}
		const { family } = address.value;
		const ip = formatIp(address.value);
		const sibling = addresses.find((other) => other.family === family);
		if (!families.includes(family))
			reasons.push({
				code: "FamilyNotWanted",
				family,
				ip,
				message: `${from} asks for ${ip}, but the Service's ipFamilies are ${families.join(", ")}`,
			});
		else if (sibling && compareIp(sibling, address.value) !== 0)
			reasons.push({
				code: "RequestConflict",
				family,
				ip,
				message: `${from} asks for two ${family} addresses, ${formatIp(sibling)} and ${ip}; a Service has one per family`,
			});
		else if (!sibling) addresses.push(address.value);
	}
	return addresses;
}
