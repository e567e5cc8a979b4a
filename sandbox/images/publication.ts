/** What a program of mode userspace begins a line of stdout with to say where it really listens. */
const mark = "\u001epublish ";

/** Where a program listens for a port of its pod, from the line `\x1epublish PORT HOST:PORT`; undefined for any other. */
export function publicationOf(
	line: string,
): { port: number; reallyAt: { host: string; port: number } } | undefined {
	if (!line.startsWith(mark)) return undefined;
	const [, port, host, at] =
		/^(\d+) ([^ ]+):(\d+)$/.exec(line.slice(mark.length)) ?? [];
	if (host === undefined) return undefined;
	return { port: Number(port), reallyAt: { host, port: Number(at) } };
}
