// Node's own way from TypeScript to JavaScript, for Jest: types become blanks, so lines and columns stay what they are.
// (swc's native addon wants a cache whose every parent folder is the user's, which no user namespace has.)
const { createHash } = require("node:crypto");
const { stripTypeScriptTypes } = require("node:module");

module.exports = {
	process: (source) => ({ code: stripTypeScriptTypes(source) }),
	getCacheKey: (source, path) =>
		createHash("sha256")
			.update(process.version)
			.update(path)
			.update(source)
			.digest("hex"),
};
