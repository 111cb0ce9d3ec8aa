-- +goose Up
-- Pictures as letters and pages show them, by the hash of their bytes. Rows are never changed or taken away: letters that
-- were sent go on loading them.
CREATE TABLE pictures (
	hash    TEXT PRIMARY KEY, -- SHA-256, hex
	type    TEXT NOT NULL CHECK (type IN ('image/jpeg', 'image/png')),
	width   INTEGER NOT NULL CHECK (width BETWEEN 1 AND 4000),
	height  INTEGER NOT NULL CHECK (height BETWEEN 1 AND 4000),
	created INTEGER NOT NULL,
	bytes   BLOB NOT NULL CHECK (length(bytes) BETWEEN 1 AND 1000000)
) STRICT;

-- JSON: hash by path, as the text names it.
ALTER TABLE revisions ADD COLUMN pictures TEXT NOT NULL DEFAULT '{}';
