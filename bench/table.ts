/** Figures as two aligned columns: name left, number right. */
export function printTable(figures: Record<string, number>): void {
	const rows = Object.entries(figures).map(
		([name, value]) => [name, round(value)] as const,
	);
	const names = Math.max(...rows.map(([name]) => name.length));
	const values = Math.max(...rows.map(([, value]) => value.length));
	for (const [name, value] of rows)
		process.stdout.write(`${name.padEnd(names)}  ${value.padStart(values)}\n`);
}

/** Three digits that count. */
function round(value: number): string {
	return Number.isInteger(value) || Math.abs(value) >= 100
		? String(Math.round(value))
		: String(Number(value.toPrecision(3)));
}
