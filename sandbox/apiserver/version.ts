/** What /version says: the Kubernetes whose behaviour is followed. */
export const version = {
	major: "1",
	minor: "37",
	gitVersion: "v1.37.2",
	gitCommit: "",
	gitTreeState: "clean",
	buildDate: "1970-01-01T00:00:00Z",
	goVersion: "",
	compiler: "",
	platform: `${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}`,
};
