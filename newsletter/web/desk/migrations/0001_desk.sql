-- +goose Up
CREATE TABLE users (
	id        INTEGER PRIMARY KEY,
	email     TEXT NOT NULL,                -- as typed
	email_key TEXT NOT NULL UNIQUE,         -- the comparison form
	role      TEXT NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
	created   INTEGER NOT NULL,
	updated   INTEGER NOT NULL
) STRICT;

-- Of sessions and links only hashes are kept. (A link that was mailed stands in its notice too, for the hour it is good.)
CREATE TABLE sessions (
	id      INTEGER PRIMARY KEY,
	hash    TEXT NOT NULL UNIQUE,
	user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	created INTEGER NOT NULL,
	used    INTEGER NOT NULL                -- written at most once in ten minutes
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE links (
	id      INTEGER PRIMARY KEY,
	hash    TEXT NOT NULL UNIQUE,
	user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	created INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	used    INTEGER                         -- NULL: not yet
) STRICT;
CREATE INDEX links_by_user ON links (user_id);
