/**
 * What a Hetzner project can choose from: the same names and shapes, so that clients and cluster definitions written for
 * Hetzner find what they ask for. Prices are placeholders: nothing costs anything here.
 */

export interface Location {
	id: number;
	name: string;
	description: string;
	country: string;
	city: string;
	latitude: number;
	longitude: number;
	network_zone: string;
}

export interface BalancerType {
	id: number;
	name: string;
	description: string;
	max_connections: number;
	max_services: number;
	max_targets: number;
	max_assigned_certificates: number;
	prices: unknown[];
	deprecated: null;
	deprecation: null;
}

export const locations: readonly Location[] = [
	[
		1,
		"fsn1",
		"DE",
		"Falkenstein",
		50.47612,
		12.370071,
		"eu-central",
		"Falkenstein DC Park 1",
	],
	[
		2,
		"nbg1",
		"DE",
		"Nuremberg",
		49.452102,
		11.076665,
		"eu-central",
		"Nuremberg DC Park 1",
	],
	[
		3,
		"hel1",
		"FI",
		"Helsinki",
		60.169855,
		24.938379,
		"eu-central",
		"Helsinki DC Park 1",
	],
	[
		4,
		"ash",
		"US",
		"Ashburn, VA",
		39.045821,
		-77.487073,
		"us-east",
		"Ashburn, VA",
	],
	[
		5,
		"hil",
		"US",
		"Hillsboro, OR",
		45.54222,
		-122.951924,
		"us-west",
		"Hillsboro, OR",
	],
	[
		6,
		"sin",
		"SG",
		"Singapore",
		1.283333,
		103.833333,
		"ap-southeast",
		"Singapore",
	],
].map((row) => {
	const [
		id,
		name,
		country,
		city,
		latitude,
		longitude,
		network_zone,
		description,
	] = row as [number, string, string, string, number, number, string, string];
	return {
		id,
		name,
		description,
		country,
		city,
		latitude,
		longitude,
		network_zone,
	};
});

const price = { net: "0.0000000000", gross: "0.0000000000" };
const prices = (includedTraffic: number) =>
	locations.map(({ name }) => ({
		location: name,
		price_hourly: price,
		price_monthly: price,
		included_traffic: includedTraffic,
		price_per_tb_traffic: price,
	}));

export const includedTraffic = 20 * 1024 ** 4;

export const balancerTypes: readonly BalancerType[] = [
	{
		id: 1,
		name: "lb11",
		max_connections: 10_000,
		max_services: 5,
		max_targets: 25,
		max_assigned_certificates: 10,
	},
	{
		id: 2,
		name: "lb21",
		max_connections: 20_000,
		max_services: 15,
		max_targets: 75,
		max_assigned_certificates: 25,
	},
	{
		id: 3,
		name: "lb31",
		max_connections: 40_000,
		max_services: 30,
		max_targets: 150,
		max_assigned_certificates: 50,
	},
].map((type) => ({
	...type,
	description: type.name.toUpperCase(),
	prices: prices(includedTraffic),
	deprecated: null,
	deprecation: null,
}));

export const serverTypes = [
	{
		id: 22,
		name: "cpx11",
		cores: 2,
		memory: 2,
		disk: 40,
		cpu_type: "shared",
		architecture: "x86",
	},
	{
		id: 23,
		name: "cpx21",
		cores: 3,
		memory: 4,
		disk: 80,
		cpu_type: "shared",
		architecture: "x86",
	},
	{
		id: 108,
		name: "cpx22",
		cores: 2,
		memory: 4,
		disk: 80,
		cpu_type: "shared",
		architecture: "x86",
	},
	{
		id: 45,
		name: "cax11",
		cores: 2,
		memory: 4,
		disk: 40,
		cpu_type: "shared",
		architecture: "arm",
	},
	{
		id: 104,
		name: "cx22",
		cores: 2,
		memory: 4,
		disk: 40,
		cpu_type: "shared",
		architecture: "x86",
	},
	{
		id: 114,
		name: "cx23",
		cores: 2,
		memory: 4,
		disk: 40,
		cpu_type: "shared",
		architecture: "x86",
	},
	{
		id: 96,
		name: "ccx13",
		cores: 2,
		memory: 8,
		disk: 80,
		cpu_type: "dedicated",
		architecture: "x86",
	},
].map((type) => ({
	...type,
	description: type.name.toUpperCase(),
	category:
		type.cpu_type === "dedicated" ? "general_purpose" : "cost_optimized",
	storage_type: "local",
	included_traffic: 0,
	prices: prices(includedTraffic),
	deprecated: false,
	deprecation: null,
	locations: locations.map(({ id, name }) => ({
		id,
		name,
		available: true,
		recommended: false,
		deprecation: null,
	})),
}));

export const images = [
	{
		id: 161547269,
		name: "ubuntu-24.04",
		os_flavor: "ubuntu",
		os_version: "24.04",
		architecture: "x86",
	},
	{
		id: 161547270,
		name: "ubuntu-24.04",
		os_flavor: "ubuntu",
		os_version: "24.04",
		architecture: "arm",
	},
	{
		id: 114690387,
		name: "debian-12",
		os_flavor: "debian",
		os_version: "12",
		architecture: "x86",
	},
	{
		id: 114690389,
		name: "debian-12",
		os_flavor: "debian",
		os_version: "12",
		architecture: "arm",
	},
].map((image) => ({
	...image,
	status: "available",
	type: "system",
	description: `${image.os_flavor} ${image.os_version}`,
	image_size: null,
	disk_size: 5,
	created: "2024-04-25T13:26:27+00:00",
	created_from: null,
	bound_to: null,
	rapid_deploy: false,
	protection: { delete: false },
	deprecated: null,
	deprecation: null,
	deleted: null,
	labels: {},
}));

/** Gone from Hetzner's servers since 2026-07; clients from before still read it. */
export const datacenters = locations.map((location) => ({
	id: location.id,
	name: `${location.name}-dc1`,
	description: `${location.description} DC 1`,
	location,
	server_types: {
		supported: serverTypes.map(({ id }) => id),
		available: serverTypes.map(({ id }) => id),
		available_for_migration: serverTypes.map(({ id }) => id),
	},
}));

/** Finds by id (a number, or digits) or by name. */
export function find<T extends { id: number; name: string }>(
	choices: readonly T[],
	idOrName: string | number,
): T | undefined {
	return (
		choices.find(({ name }) => name === idOrName) ??
		choices.find(({ id }) => String(id) === String(idOrName))
	);
}

/** The one of that name; for names that were checked when they were stored. */
export function named<T extends { name: string }>(
	choices: readonly T[],
	name: string,
): T {
	const found = choices.find((choice) => choice.name === name);
	if (!found) throw new Error(`the catalog no longer has ${name}`);
	return found;
}
