/**
 * /openapi/v2, without definitions: kubectl asks for it only to look into `kind: List`, and leaves to the server what it
 * finds no definition of.
 */
export const openApiV2 = {
	swagger: "2.0",
	info: { title: "Kubernetes", version: "v1.37.2" },
	paths: {},
	definitions: {},
};

export const openApiV2Protobuf =
	"application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/** The same as an openapi.v2.Document of github.com/google/gnostic-models. */
export function openApiV2Bytes(): Buffer {
	const field = (number: number, content: string | Buffer) => {
		const bytes = Buffer.from(content);
		return Buffer.concat([
			Buffer.from([(number << 3) | 2, bytes.length]),
			bytes,
		]);
	};
	const { title, version } = openApiV2.info;
	return Buffer.concat([
		field(1, openApiV2.swagger),
		field(2, Buffer.concat([field(1, title), field(2, version)])),
		field(8, ""),
		field(9, ""),
	]);
}
