-- +goose Up
-- The last number of the journal of leaves (see Journal) that this database has. A backup knows by it what it missed.
CREATE TABLE journal (
	id  INTEGER PRIMARY KEY CHECK (id = 1),
	seq INTEGER NOT NULL CHECK (seq >= 0)
) STRICT;
INSERT INTO journal (id, seq) VALUES (1, 0);

-- What has yet to be written into the journal: each transaction does so before it commits, so that mostly it is empty.
CREATE TABLE leaving (
	id        INTEGER PRIMARY KEY,
	hash      TEXT NOT NULL,
	series_id INTEGER NOT NULL,
	reason    TEXT NOT NULL,
	at        INTEGER NOT NULL
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER suppressions_journal AFTER INSERT ON suppressions
BEGIN
	INSERT INTO leaving (hash, series_id, reason, at) VALUES (NEW.hash, NEW.series_id, NEW.reason, NEW.created);
END;
-- +goose StatementEnd
