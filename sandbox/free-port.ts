import { isFairleadError } from "../operator/errors.ts";

/**
 * Opens something on the port the user gave, or else on the first free one from `usual` on. A port that was given and is
 * taken is an error; the usual one being taken is not.
 */
export async function onPort<T>(
	given: number | undefined,
	usual: number,
	open: (port: number) => Promise<T>,
): Promise<T> {
	if (given !== undefined) return open(given);
	for (let port = usual; port < usual + 20; port++)
		try {
			return await open(port);
		} catch (error) {
			if (!isFairleadError(error, "ListenFailed")) throw error;
		}
	return open(0);
}
