import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { FairleadError } from "../../operator/errors.ts";
import type { Journal, Stored } from "./store.ts";

const schemaVersion = 1;
const schema = `
	CREATE TABLE object (collection TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (collection, key)) STRICT, WITHOUT ROWID;
	CREATE TABLE revision (value INTEGER NOT NULL) STRICT;
	INSERT INTO revision VALUES (1);
	CREATE TABLE secret (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
	PRAGMA user_version = ${schemaVersion};`;

/** SQLite's primary result codes that matter here (https://sqlite.org/rescode.html). */
const code = { busy: 5, ioError: 10, corrupt: 11, full: 13, notADb: 26 };

/**
 * Objects in an SQLite file of a folder: what `write` has returned from is on disk, and stays there whatever ends the
 * process. One process has it open at a time.
 */
export class FileJournal implements Journal {
	readonly #sqlite: DatabaseSync;
	readonly #folder: string;
	readonly #put: StatementSync;
	readonly #remove: StatementSync;
	readonly #advance: StatementSync;

	/** `folder` is made when missing. @throws FairleadError StoreUnusable, naming the folder and the reason */
	constructor(folder: string) {
		this.#folder = folder;
		const file = join(folder, "objects.sqlite");
		try {
			mkdirSync(folder, { recursive: true, mode: 0o700 });
			this.#sqlite = new DatabaseSync(file);
		} catch (cause) {
			throw unusable(folder, cause);
		}
		try {
			this.#sqlite.exec(
				"PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;",
			);
			this.#prepare();
			// It holds the authority's key and the admin's token.
			chmodSync(file, 0o600);
			this.#put = this.#sqlite.prepare(
				"INSERT INTO object VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body",
			);
			this.#remove = this.#sqlite.prepare(
				"DELETE FROM object WHERE collection = ? AND key = ?",
			);
			this.#advance = this.#sqlite.prepare("UPDATE revision SET value = ?");
		} catch (cause) {
			this.#sqlite.close();
			throw unusable(folder, cause);
		}
	}

	/** @throws FairleadError StoreUnusable when what is stored cannot be read */
	load(): ReturnType<Journal["load"]> {
		try {
			const { value } = this.#sqlite
				.prepare("SELECT value FROM revision")
				.get() as { value: number };
			const rows = this.#sqlite
				.prepare("SELECT collection, key, body FROM object")
				.all() as { collection: string; key: string; body: string }[];
			return {
				revision: value,
				objects: rows.map(({ collection, key, body }) => ({
					collection,
					key,
					object: JSON.parse(body) as Stored,
				})),
			};
		} catch (cause) {
			throw unusable(this.#folder, cause);
		}
	}

	write: Journal["write"] = (collection, { revision, key, after }) => {
		this.#transaction(() => {
			if (after) this.#put.run(collection, key, JSON.stringify(after));
			else this.#remove.run(collection, key);
			this.#advance.run(revision);
		});
	};

	/** The text kept under `name`; `make` makes it the first time. */
	secret(name: string, make: () => string): string {
		const found = this.#sqlite
			.prepare("SELECT value FROM secret WHERE name = ?")
			.get(name) as { value: string } | undefined;
		if (found) return found.value;
		const value = make();
		this.#transaction(() =>
			this.#sqlite.prepare("INSERT INTO secret VALUES (?, ?)").run(name, value),
		);
		return value;
	}

	close(): void {
		this.#sqlite.close();
	}

	#prepare(): void {
		const { user_version: version } = this.#sqlite
			.prepare("PRAGMA user_version")
			.get() as { user_version: number };
		if (version === 0) this.#transaction(() => this.#sqlite.exec(schema));
		else if (version !== schemaVersion)
			throw new Error(
				`its schema is version ${version}, this Fairlead knows ${schemaVersion}`,
			);
	}

	#transaction(work: () => void): void {
		try {
			this.#sqlite.exec("BEGIN IMMEDIATE");
			work();
			this.#sqlite.exec("COMMIT");
		} catch (error) {
			// SQLite has already rolled back after some errors, a full disk among them.
			if (this.#sqlite.isTransaction) this.#sqlite.exec("ROLLBACK");
			const primary = primaryCode(error);
			if (primary !== code.full && primary !== code.ioError) throw error;
			throw new FairleadError(
				"StoreFull",
				`cannot write to ${this.#folder}: ${(error as Error).message}; nothing of this request was done`,
				{ cause: error },
			);
		}
	}
}

function primaryCode(error: unknown): number | undefined {
	const extended = (error as { errcode?: unknown } | null)?.errcode;
	return typeof extended === "number" ? extended & 0xff : undefined;
}

function unusable(folder: string, cause: unknown): FairleadError {
	const message = cause instanceof Error ? cause.message : String(cause);
	const primary = primaryCode(cause);
	const why =
		primary === code.busy
			? "another API server is running on it"
			: primary === code.corrupt || primary === code.notADb
				? `objects.sqlite in it is damaged (${message})`
				: message;
	return new FairleadError(
		"StoreUnusable",
		`cannot use data directory ${folder}: ${why}`,
		{ cause },
	);
}
