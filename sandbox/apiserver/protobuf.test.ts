import { ApiError } from "./api-error.ts";
import { decodeProtobuf } from "./protobuf.ts";
import { structType } from "./schema/types.ts";

// Bodies written byte by byte, as the protobuf encoding says (https://protobuf.dev/programming-guides/encoding/).

function varint(value: number | bigint): Buffer {
	const bytes: number[] = [];
	let rest = BigInt.asUintN(64, BigInt(value));
	do {
		bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
		rest >>= 7n;
	} while (rest > 0n);
	return Buffer.from(bytes);
}
/** A number, or bytes or text with their length before them. */
function field(number: number, value: number | bigint | string | Buffer) {
	if (typeof value === "number" || typeof value === "bigint")
		return Buffer.concat([varint(number << 3), varint(value)]);
	const bytes = Buffer.from(value);
	return Buffer.concat([
		varint((number << 3) | 2),
		varint(bytes.length),
		bytes,
	]);
}
const message = (...fields: Buffer[]) => Buffer.concat(fields);
const body = (apiVersion: string, kind: string, raw: Buffer) =>
	message(
		Buffer.from("k8s\0"),
		field(1, message(field(1, apiVersion), field(2, kind))),
		field(2, raw),
	);
const decode = (bytes: Buffer) =>
	decodeProtobuf(bytes, (_apiVersion, kind) =>
		kind === "Unheard" ? undefined : structType(kind),
	);
const metadata = (...fields: Buffer[]) => field(1, message(...fields));

test("a Service's numbers, lists, maps and names arrive", () => {
	const port = message(
		field(1, "http"),
		field(2, "TCP"),
		field(3, 80),
		field(4, message(field(1, 1), field(3, "web"))),
		field(5, 30080),
	);
	const spec = message(
		field(1, port),
		field(2, message(field(1, "app"), field(2, "web"))),
		field(4, "NodePort"),
		field(13, 1),
	);
	const raw = message(
		metadata(field(1, "web"), field(3, "default")),
		field(2, spec),
	);
	expect(decode(body("v1", "Service", raw))).toMatchObject({
		apiVersion: "v1",
		kind: "Service",
		metadata: { name: "web", namespace: "default" },
		spec: {
			type: "NodePort",
			selector: { app: "web" },
			publishNotReadyAddresses: true,
			ports: [
				{
					name: "http",
					protocol: "TCP",
					port: 80,
					targetPort: "web",
					nodePort: 30080,
				},
			],
		},
	});
});

test("a targetPort that is a number is a number", () => {
	const port = message(
		field(3, 80),
		field(4, message(field(1, 0), field(2, 8080))),
	);
	const { spec } = decode(body("v1", "Service", field(2, field(1, port)))) as {
		spec: { ports: object[] };
	};
	expect(spec.ports).toMatchObject([{ port: 80, targetPort: 8080 }]);
});

test("bytes become base64, times RFC 3339", () => {
	const created = message(field(1, Date.parse("2026-11-23T12:00:00Z") / 1000));
	const raw = message(
		metadata(field(1, "token"), field(8, created)),
		field(2, message(field(1, "token"), field(2, Buffer.from([0, 255])))),
	);
	expect(decode(body("v1", "Secret", raw))).toMatchObject({
		metadata: { name: "token", creationTimestamp: "2026-11-23T12:00:00Z" },
		data: { token: "AP8=" },
	});
});

test("negative numbers take ten bytes and come out negative", () => {
	const spec = field(2, message(field(1, -1n)));
	expect(decode(body("apps/v1", "apps.Deployment", spec))).toMatchObject({
		spec: { replicas: -1 },
	});
});

test("fields nobody knows are passed over, whatever their wire type", () => {
	const fixed64 = message(varint((900 << 3) | 1), Buffer.alloc(8));
	const fixed32 = message(varint((901 << 3) | 5), Buffer.alloc(4));
	const raw = message(
		fixed64,
		fixed32,
		field(902, 5),
		field(903, "x"),
		metadata(field(1, "map")),
	);
	expect(decode(body("v1", "ConfigMap", raw))).toMatchObject({
		metadata: { name: "map" },
	});
});

test.each<[string, Buffer, string]>([
	["no magic", Buffer.from("{}"), "expected prefix [107 56 115 0]"],
	[
		"a kind nobody knows",
		body("v1", "Unheard", Buffer.alloc(0)),
		'no kind "Unheard" is registered for version "v1"',
	],
	[
		"a field cut short",
		body("v1", "ConfigMap", Buffer.from([0x0a, 0x05, 0x01])),
		"unexpected EOF",
	],
	[
		"a number cut short",
		body("v1", "ConfigMap", Buffer.from([0x80])),
		"unexpected EOF",
	],
	[
		"a number that is too long",
		body("v1", "ConfigMap", Buffer.alloc(11, 0xff)),
		"integer overflow",
	],
	[
		"a wire type that is gone",
		body("v1", "ConfigMap", Buffer.from([0x0b])),
		"illegal wireType 3",
	],
])("%s is a bad request", (_, bytes, why) => {
	const failed = (() => {
		try {
			return decode(bytes);
		} catch (error) {
			return error;
		}
	})();
	expect(failed).toBeInstanceOf(ApiError);
	expect(failed).toMatchObject({
		code: 400,
		message: expect.stringContaining(why) as string,
	});
});
