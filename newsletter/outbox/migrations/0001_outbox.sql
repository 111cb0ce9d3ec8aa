-- +goose Up
-- A notice is a mail that belongs to no issue; its content is complete when it is queued, and emptied once it is through,
-- since its links are secrets.
CREATE TABLE notices (
	id            INTEGER PRIMARY KEY,
	kind          TEXT NOT NULL CHECK (kind IN ('confirmation', 'login', 'test', 'editors')),
	dedupe        TEXT NOT NULL UNIQUE,     -- the same word is not said twice
	subscriber_id INTEGER REFERENCES subscribers (id), -- confirmation: whose; its address is read at the mark
	to_name       TEXT NOT NULL DEFAULT '',
	to_email      TEXT NOT NULL DEFAULT '', -- of those who are no subscribers
	from_name     TEXT NOT NULL,
	from_email    TEXT NOT NULL,
	reply_to      TEXT NOT NULL DEFAULT '',
	subject       TEXT NOT NULL,
	html          TEXT NOT NULL,
	text          TEXT NOT NULL,
	expires       INTEGER NOT NULL,         -- its token's end: later it is not worth sending
	created       INTEGER NOT NULL,
	CHECK (subscriber_id IS NOT NULL OR to_email <> '')
) STRICT;

-- One row is the record of getting one issue, or one notice, to one person. DELIVERY: states and arrows.
CREATE TABLE deliveries (
	id            INTEGER PRIMARY KEY,
	kind          TEXT NOT NULL CHECK (kind IN ('issue', 'notice')),
	issue_id      INTEGER REFERENCES issues (id),
	notice_id     INTEGER UNIQUE REFERENCES notices (id),
	subscriber_id INTEGER REFERENCES subscribers (id),
	series_id     INTEGER REFERENCES series (id),
	article_id    INTEGER REFERENCES articles (id), -- NULL: nothing that counts as had
	cycle         INTEGER NOT NULL DEFAULT 1,
	state         TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'claimed', 'inflight', 'sent', 'failed', 'skipped', 'uncertain')),
	owner         TEXT NOT NULL DEFAULT '', -- of claimed and inflight rows: the worker that holds them
	epoch         INTEGER NOT NULL DEFAULT 0, -- raised by every claim and every taking over
	lease_until   INTEGER NOT NULL DEFAULT 0,
	tries         INTEGER NOT NULL DEFAULT 0,
	waited        INTEGER NOT NULL DEFAULT 0, -- ms of waits between its tries: what the shelf life is compared with
	next_try      INTEGER NOT NULL,
	amb           INTEGER NOT NULL DEFAULT 0 CHECK (amb IN (0, 1)), -- a copy may be out already
	dated         INTEGER,                  -- the message's Date, set by the first mark
	hash          TEXT NOT NULL DEFAULT '', -- hex SHA-256 of its bytes before signing
	class         TEXT NOT NULL DEFAULT '', -- of failed rows: why
	reply         TEXT NOT NULL DEFAULT '', -- the relay's last words, addresses redacted
	message_id    TEXT NOT NULL DEFAULT '',
	created       INTEGER NOT NULL,
	updated       INTEGER NOT NULL,
	CHECK ((kind = 'issue') = (issue_id IS NOT NULL)),
	CHECK ((kind = 'notice') = (notice_id IS NOT NULL)),
	CHECK (kind = 'notice' OR (subscriber_id IS NOT NULL AND series_id IS NOT NULL)),
	CHECK ((state IN ('claimed', 'inflight')) = (owner <> '')),
	CHECK (state NOT IN ('inflight', 'sent', 'uncertain') OR (dated IS NOT NULL AND hash <> '' AND message_id <> '')),
	CHECK ((state = 'failed') = (class <> ''))
) STRICT;
CREATE UNIQUE INDEX deliveries_once ON deliveries (issue_id, subscriber_id) WHERE issue_id IS NOT NULL;
CREATE UNIQUE INDEX deliveries_had ON deliveries (series_id, article_id, subscriber_id, cycle)
	WHERE article_id IS NOT NULL AND (state IN ('pending', 'claimed', 'inflight', 'sent', 'uncertain') OR (state = 'failed' AND class = 'content'));
CREATE INDEX deliveries_due ON deliveries (issue_id, next_try) WHERE state = 'pending'; -- notices stand under NULL
CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE state IN ('claimed', 'inflight');
CREATE INDEX deliveries_counts ON deliveries (issue_id, state);
CREATE INDEX deliveries_by_subscriber ON deliveries (subscriber_id, series_id);

-- Which machine and file this database believes to be, so that a copy or a restored backup starts in hold.
CREATE TABLE instance (
	id         INTEGER PRIMARY KEY CHECK (id = 1),
	machine    TEXT NOT NULL,
	inode      INTEGER NOT NULL,
	heartbeat  INTEGER NOT NULL,
	closed     INTEGER NOT NULL DEFAULT 1 CHECK (closed IN (0, 1)), -- the sender ended in order, or none has begun
	held       TEXT NOT NULL DEFAULT '',     -- why nothing may leave; empty: all well
	live_since INTEGER,                       -- go-live passed
	live_for   TEXT NOT NULL DEFAULT ''       -- for these settings
) STRICT;
