-- +goose Up
-- What came back by mail of a delivery. A report that is read twice is one. It may come before the relay's answer is known, or while
-- too many people would be suppressed at once: then it waits here until it is applied.
CREATE TABLE bounces (
	id            INTEGER PRIMARY KEY,
	delivery_id   INTEGER NOT NULL,                        -- its row goes one day, this stays
	issue_id      INTEGER REFERENCES issues (id),          -- NULL: of a notice
	subscriber_id INTEGER NOT NULL REFERENCES subscribers (id),
	series_id     INTEGER NOT NULL,                        -- 0: none
	kind          TEXT NOT NULL CHECK (kind = 'bounced' OR kind = 'complained'),
	report        TEXT NOT NULL,                           -- hash of the report's Message-ID, or of all of it
	class         TEXT NOT NULL,                           -- of a bounce: as of failed deliveries; expired: given up by a server on the way
	code          INTEGER NOT NULL,
	enhanced      TEXT NOT NULL,
	said          TEXT NOT NULL,                           -- the server's words, without addresses
	heard         INTEGER NOT NULL,
	applied       INTEGER,                                 -- NULL: it waits
	held          INTEGER NOT NULL DEFAULT 0 CHECK (held = 0 OR held = 1), -- since too many would be suppressed
	suppressed    INTEGER NOT NULL DEFAULT 0 CHECK (suppressed = 0 OR suppressed = 1),
	UNIQUE (delivery_id, kind, code, enhanced, report),
	CHECK ((kind = 'bounced') = (class <> '')),
	CHECK (applied IS NOT NULL OR suppressed = 0)
) STRICT;
CREATE INDEX bounces_by_issue ON bounces (issue_id, kind, delivery_id) WHERE issue_id IS NOT NULL;
CREATE INDEX bounces_by_subscriber ON bounces (subscriber_id);
CREATE INDEX bounces_waiting ON bounces (id) WHERE applied IS NULL;
CREATE INDEX bounces_suppressed ON bounces (series_id, applied) WHERE suppressed = 1;

-- As of deliveries: what servers said of somebody goes with them.
-- +goose StatementBegin
CREATE TRIGGER bounces_forgotten AFTER UPDATE OF erased ON subscribers
WHEN NEW.erased IS NOT NULL
BEGIN
	UPDATE bounces SET said = '' WHERE subscriber_id = NEW.id AND said <> '';
END;
-- +goose StatementEnd

-- How far mailboxes were read.
CREATE TABLE mailboxes (
	name     TEXT PRIMARY KEY,
	validity INTEGER NOT NULL DEFAULT 0, -- of its UIDs
	next     INTEGER NOT NULL DEFAULT 0, -- UID of the next message
	failing  INTEGER                     -- since when it can't be read; NULL: it can
) STRICT;

-- How many messages were what, by day of UTC.
CREATE TABLE mailbox_counts (
	day   TEXT NOT NULL,
	heard TEXT NOT NULL,
	n     INTEGER NOT NULL,
	PRIMARY KEY (day, heard)
) STRICT;
