/** Why a Service that is ours by name, or by default, is not worked for at all: nothing is held for it. */
export const refusalReasons = [
	"UnknownClass",
	"AmbiguousDefaultClass",
	"ProviderUnavailable",
	"ClassDeleting",
	"ClaimedByAnother",
] as const;

export type RefusalReason = (typeof refusalReasons)[number];
