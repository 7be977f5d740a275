import { DatabaseSync } from "node:sqlite";

/** Preloaded into a server by `secure-delete.ts`: opens SQLite databases without `secure_delete`. */
const { prepare } = DatabaseSync.prototype;
DatabaseSync.prototype.prepare = function (sql, ...options) {
  return prepare.call(this, sql.replace("pragma secure_delete = on", "pragma secure_delete = off"), ...options);
};
