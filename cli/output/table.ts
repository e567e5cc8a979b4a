/** A cell: its text, and how it is shown once it has its width. */
export type Cell = string | { text: string; paint: (text: string) => string };

/**
 * Lines of a table: columns as wide as their longest cell, two spaces between, nothing behind the last. Text is taken as
 * it is; it has no control characters.
 */
export function table(
	rows: readonly (readonly Cell[])[],
	indent = "",
): string[] {
	const widths: number[] = [];
	for (const row of rows)
		for (const [at, cell] of row.entries())
			widths[at] = Math.max(widths[at] ?? 0, textOf(cell).length);
	return rows.map((row) => {
		const cells = row.map((cell, at) => {
			const last = at === row.length - 1;
			const padded = last ? textOf(cell) : textOf(cell).padEnd(widths[at] ?? 0);
			return typeof cell === "string" ? padded : cell.paint(padded);
		});
		return `${indent}${cells.join("  ")}`.trimEnd();
	});
}

function textOf(cell: Cell): string {
	return typeof cell === "string" ? cell : cell.text;
}
