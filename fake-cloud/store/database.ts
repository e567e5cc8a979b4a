import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { FairleadError } from "../../operator/errors.ts";
import type { Log } from "../../operator/log.ts";

/** Each entry takes the schema one version further; entries are never edited once released. */
const migrations = [
	`CREATE TABLE sequence (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
	 INSERT INTO sequence VALUES ('id', 1000);
	 CREATE TABLE resource (id INTEGER PRIMARY KEY, project TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL,
		UNIQUE (project, kind, name)) STRICT;
	 CREATE TABLE action (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;
	 CREATE TABLE address (address TEXT PRIMARY KEY, pool TEXT NOT NULL, id INTEGER NOT NULL, owner INTEGER NOT NULL) STRICT, WITHOUT ROWID;`,
];

/** SQLite's primary result codes that matter here (https://sqlite.org/rescode.html). */
const code = { busy: 5, ioError: 10, corrupt: 11, full: 13, notADb: 26 };

export interface DatabaseOptions {
	/** The folder, made when missing, or `:memory:`. */
	dataDir: string;
	/** Refuse to grow the database beyond this; absent: the disk decides. */
	maxBytes?: number;
	log: Log;
}

/**
 * The SQLite file below a store: opens it, keeps every other process out while it is open, brings the schema up to
 * date, and runs transactions that are on disk when they return.
 */
export class Database {
	readonly sqlite: DatabaseSync;
	readonly #where: string;
	readonly #log: Log;
	#full = false;

	/** @throws FairleadError StoreUnusable, naming the folder and the reason */
	constructor({ dataDir, maxBytes, log }: DatabaseOptions) {
		this.#log = log;
		this.#where = dataDir;
		try {
			if (dataDir !== ":memory:") mkdirSync(dataDir, { recursive: true });
			this.sqlite = new DatabaseSync(
				dataDir === ":memory:" ? dataDir : join(dataDir, "cloud.sqlite"),
			);
		} catch (cause) {
			throw unusable(dataDir, cause);
		}
		try {
			// Held from the first read on until the process ends, however it ends: nobody else can open the file.
			this.sqlite.exec(
				"PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;",
			);
			this.transaction(() => this.#migrate());
			if (maxBytes !== undefined) this.#limit(maxBytes);
		} catch (cause) {
			this.sqlite.close();
			throw cause instanceof FairleadError ? cause : unusable(dataDir, cause);
		}
	}

	/**
	 * Runs `work` and commits what it wrote, or, when anything throws, leaves everything as it was.
	 *
	 * @throws FairleadError StoreFull when the disk takes no more; whatever `work` throws
	 */
	transaction<T>(work: () => T): T {
		let result: T;
		try {
			this.sqlite.exec("BEGIN IMMEDIATE");
			result = work();
			this.sqlite.exec("COMMIT");
		} catch (error) {
			// SQLite has already rolled back after some errors, a full disk among them.
			if (this.sqlite.isTransaction) this.sqlite.exec("ROLLBACK");
			throw this.#explain(error);
		}
		if (this.#full) {
			this.#full = false;
			this.#log.info({ data: this.#where }, "the store takes writes again");
		}
		return result;
	}

	close(): void {
		this.sqlite.close();
	}

	#explain(error: unknown): unknown {
		const primary = sqliteCode(error);
		if (primary !== code.full && primary !== code.ioError) return error;
		const full = new FairleadError(
			"StoreFull",
			`cannot write to ${this.#where}: ${(error as Error).message}; nothing of this request was done`,
			{ cause: error },
		);
		if (!this.#full)
			this.#log.error({ data: this.#where, err: error }, full.message);
		this.#full = true;
		return full;
	}

	#migrate(): void {
		const { user_version: version } = this.sqlite
			.prepare("PRAGMA user_version")
			.get() as { user_version: number };
		if (version > migrations.length)
			throw new Error(
				`its schema is version ${version}, written by a newer Fairlead; this one knows up to ${migrations.length}`,
			);
		for (const migration of migrations.slice(version))
			this.sqlite.exec(migration);
		this.sqlite.exec(`PRAGMA user_version = ${migrations.length}`);
	}

	#limit(maxBytes: number): void {
		const { page_size: size } = this.sqlite
			.prepare("PRAGMA page_size")
			.get() as { page_size: number };
		this.sqlite.exec(`PRAGMA max_page_count = ${Math.ceil(maxBytes / size)}`);
	}
}

/** The primary result code of an error of node:sqlite; undefined for any other error. */
function sqliteCode(error: unknown): number | undefined {
	const extended = (error as { errcode?: unknown } | null)?.errcode;
	return typeof extended === "number" ? extended & 0xff : undefined;
}

function unusable(dataDir: string, cause: unknown): FairleadError {
	const message = cause instanceof Error ? cause.message : String(cause);
	const primary = sqliteCode(cause);
	const why =
		primary === code.busy
			? "another fake cloud is running on it"
			: primary === code.corrupt || primary === code.notADb
				? `cloud.sqlite in it is damaged (${message})`
				: message;
	return new FairleadError(
		"StoreUnusable",
		`cannot use data directory ${dataDir}: ${why}`,
		{ cause },
	);
}
