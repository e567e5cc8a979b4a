/** A span as kubectl's AGE shows it; k8s.io/apimachinery/pkg/util/duration.HumanDuration. */
export function humanDuration(ms: number): string {
	const seconds = Math.trunc(ms / 1000);
	if (seconds < -1) return "<invalid>";
	if (seconds < 0) return "0s";
	if (seconds < 120) return `${seconds}s`;
	const minutes = Math.trunc(seconds / 60);
	if (minutes < 10) return pair(minutes, "m", seconds % 60, "s");
	if (minutes < 180) return `${minutes}m`;
	const hours = Math.trunc(minutes / 60);
	if (hours < 8) return pair(hours, "h", minutes % 60, "m");
	if (hours < 48) return `${hours}h`;
	const days = Math.trunc(hours / 24);
	if (days < 8) return pair(days, "d", hours % 24, "h");
	if (days < 730) return `${days}d`;
	if (days < 8 * 365) return pair(Math.trunc(days / 365), "y", days % 365, "d");
	return `${Math.trunc(days / 365)}y`;
}

const pair = (big: number, unit: string, small: number, smallUnit: string) =>
	small === 0 ? `${big}${unit}` : `${big}${unit}${small}${smallUnit}`;
