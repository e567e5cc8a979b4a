/**
 * Text with its `$(NAME)` references replaced, as the kubelet does it in env values, command and args
 * (third_party/forked/golang/expansion): `$$` stands for one `$`, so `$$(NAME)` stays `$(NAME)`; a reference to what is
 * not known, or that is not closed, stays as it is.
 */
export function expand(
	text: string,
	valueOf: (name: string) => string | undefined,
): string {
	return text.replaceAll(
		/\$(\$|\(([^)]*)\))/g,
		(whole: string, operator: string, name: string | undefined) =>
			operator === "$" ? "$" : (valueOf(name as string) ?? whole),
	);
}
