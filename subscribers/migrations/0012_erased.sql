-- +goose Up
-- Which address a change was asked for, as suppressions name it; empty of other links, and of those asked for before. An erasure finds by
-- it what others asked of the address.
ALTER TABLE fresh_links ADD COLUMN to_hash TEXT NOT NULL DEFAULT '';
CREATE INDEX fresh_links_to ON fresh_links (to_hash) WHERE to_hash <> '';

-- When an address was last asked whether somebody moves to it: that counts like a request to join, and is counted at once, since of
-- who asked nothing may stay.
ALTER TABLE unanswered ADD COLUMN last INTEGER NOT NULL DEFAULT 0;

-- How many people were ever erased, and of how many the database's files have nothing either: the write-ahead log keeps pages as they were
-- before, until it is emptied.
CREATE TABLE wiped (
	id     INTEGER PRIMARY KEY CHECK (id = 1),
	erased INTEGER NOT NULL,
	wiped  INTEGER NOT NULL CHECK (wiped <= erased)
) STRICT;
INSERT INTO wiped (id, erased, wiped) SELECT 1, count(*), 0 FROM subscribers WHERE erased IS NOT NULL;

-- +goose StatementBegin
CREATE TRIGGER subscribers_erased AFTER UPDATE OF erased ON subscribers
WHEN OLD.erased IS NULL AND NEW.erased IS NOT NULL
BEGIN
	UPDATE wiped SET erased = erased + 1;
END;
-- +goose StatementEnd
