-- +goose Up
CREATE TABLE subscribers (
	id            INTEGER PRIMARY KEY,
	email         TEXT NOT NULL,            -- as typed, or empty once erased
	email_key     TEXT UNIQUE,              -- the comparison form; NULL once erased
	address_hash  TEXT NOT NULL,            -- HMAC of the comparison form: what suppressions name; empty once erased
	domain_hash   TEXT NOT NULL,            -- HMAC of "@" and the domain of the comparison form; empty once erased
	name          TEXT NOT NULL DEFAULT '',
	language      TEXT NOT NULL DEFAULT '', -- BCP 47
	fields        TEXT NOT NULL DEFAULT '{}', -- JSON object of strings: columns of an import that have no place here
	created       INTEGER NOT NULL,
	erased        INTEGER,
	CHECK ((email = '') = (erased IS NOT NULL)),
	CHECK ((email_key IS NULL) = (erased IS NOT NULL)),
	CHECK (erased IS NULL OR (address_hash = '' AND domain_hash = '' AND name = '' AND language = '' AND fields = '{}'))
) STRICT;

-- What people imported as readers had before they came to us; shared by all rows of one import.
CREATE TABLE readings (
	id        INTEGER PRIMARY KEY,
	series_id INTEGER NOT NULL CHECK (series_id > 0),
	articles  TEXT NOT NULL,                -- JSON array of article numbers
	created   INTEGER NOT NULL,
	UNIQUE (series_id, articles)
) STRICT;

-- An import is one step: whom it brings counts as pending until all are there. Rows are written some at a time, so that
-- nobody waits long for the database; done makes them real together.
CREATE TABLE imports (
	id        INTEGER PRIMARY KEY,
	series_id INTEGER NOT NULL CHECK (series_id > 0),
	sum       TEXT NOT NULL,                -- SHA-256 of the file, hex
	terms     TEXT NOT NULL,                -- JSON: the file's name, as what people come, because of what, what they had read
	begun     INTEGER NOT NULL,
	accepted  INTEGER,                      -- NULL: its file is not all there, and nothing of it happens
	taken     INTEGER NOT NULL DEFAULT 0,   -- rows that are written, those who are gone first
	touched   INTEGER NOT NULL,             -- when it was last worked at
	done      INTEGER                       -- NULL: it runs, or was stopped midway
) STRICT;

-- The file of an import until it is done, so that a stopped one comes to its end.
CREATE TABLE import_parts (
	import_id INTEGER NOT NULL REFERENCES imports (id),
	number    INTEGER NOT NULL,
	data      BLOB NOT NULL,
	PRIMARY KEY (import_id, number)
) STRICT;

-- Pending is only who never was active: somebody who left and asks again stays ended until they confirm.
CREATE TABLE enrolments (
	id            INTEGER PRIMARY KEY,
	series_id     INTEGER NOT NULL CHECK (series_id > 0),
	subscriber_id INTEGER NOT NULL REFERENCES subscribers (id),
	state         TEXT NOT NULL CHECK (state IN ('pending', 'active', 'paused', 'ended')),
	ended_by      TEXT NOT NULL DEFAULT '' CHECK (ended_by IN ('', 'unsubscribe', 'bounce', 'complaint')),
	cycle         INTEGER NOT NULL DEFAULT 1 CHECK (cycle >= 1),
	paused_until  INTEGER,
	reading_id    INTEGER REFERENCES readings (id),
	import_id     INTEGER REFERENCES imports (id), -- that made them active; NULL: none, or their own word since
	active_since  INTEGER,
	ended_at      INTEGER,
	created       INTEGER NOT NULL,
	updated       INTEGER NOT NULL,
	UNIQUE (series_id, subscriber_id),
	CHECK ((state = 'ended') = (ended_by <> '')),
	CHECK ((state = 'ended') = (ended_at IS NOT NULL)),
	CHECK (state <> 'paused' OR paused_until IS NOT NULL),
	CHECK (state <> 'pending' OR active_since IS NULL),
	CHECK (state NOT IN ('active', 'paused') OR active_since IS NOT NULL)
) STRICT;
CREATE INDEX enrolments_by_subscriber ON enrolments (subscriber_id);
CREATE INDEX enrolments_paused ON enrolments (paused_until) WHERE state = 'paused';
CREATE INDEX enrolments_pending ON enrolments (created) WHERE state = 'pending';

-- Append-only: what was asked, confirmed, imported, left, undone. Numbers are never given twice: links name them.
CREATE TABLE consents (
	id            INTEGER PRIMARY KEY AUTOINCREMENT,
	subscriber_id INTEGER NOT NULL REFERENCES subscribers (id),
	series_id     INTEGER CHECK (series_id > 0), -- NULL: everything
	event         TEXT NOT NULL CHECK (event IN ('requested', 'confirmed', 'added', 'imported', 'unsubscribed', 'undone',
	                                             'suppressed', 'unsuppressed', 'restarted', 'paused', 'resumed')),
	request_id    INTEGER REFERENCES consents (id), -- of a confirmation: what it answers
	at            INTEGER NOT NULL,
	ip            TEXT NOT NULL DEFAULT '',
	agent         TEXT NOT NULL DEFAULT '',
	form          TEXT NOT NULL DEFAULT '', -- URL of the form, or file and row of the import
	wording       TEXT NOT NULL DEFAULT '', -- what they agreed to, whole
	because       TEXT NOT NULL DEFAULT '',
	email         TEXT NOT NULL DEFAULT '', -- as typed that time
	CHECK ((event = 'confirmed') = (request_id IS NOT NULL)),
	CHECK (event NOT IN ('added', 'unsuppressed') OR because <> '')
) STRICT;
CREATE INDEX consents_by_subscriber ON consents (subscriber_id);
CREATE UNIQUE INDEX consents_by_request ON consents (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX consents_requested ON consents (at) WHERE event = 'requested';

-- +goose StatementBegin
CREATE TRIGGER consents_stay BEFORE UPDATE ON consents
BEGIN
	SELECT RAISE(ABORT, 'a consent is never changed');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER consents_kept BEFORE DELETE ON consents
WHEN NOT EXISTS (SELECT 1 FROM subscribers s WHERE s.id = OLD.subscriber_id AND s.erased IS NOT NULL)
	AND NOT (OLD.event = 'requested' AND NOT EXISTS (SELECT 1 FROM consents c WHERE c.request_id = OLD.id))
BEGIN
	SELECT RAISE(ABORT, 'a consent is only deleted in an erasure, or where it is a request never confirmed');
END;
-- +goose StatementEnd

-- Requests that a confirmation can still answer: not answered yet, not followed by another, by a leave or a suppression.
CREATE VIEW open_requests AS
SELECT r.id, r.subscriber_id, r.series_id
FROM consents r
WHERE r.event = 'requested'
	AND NOT EXISTS (SELECT 1 FROM consents c WHERE c.request_id = r.id)
	AND NOT EXISTS (
		SELECT 1 FROM consents c
		WHERE c.subscriber_id = r.subscriber_id AND c.id > r.id AND (c.series_id IS NULL OR c.series_id = r.series_id)
			AND c.event IN ('requested', 'unsubscribed', 'suppressed'));

-- How many confirmations an address was sent and never answered, of requests deleted since: three are the end.
CREATE TABLE unanswered (
	hash     TEXT PRIMARY KEY,              -- address_hash
	requests INTEGER NOT NULL CHECK (requests > 0)
) STRICT;

CREATE TABLE suppressions (
	id        INTEGER PRIMARY KEY,
	hash      TEXT NOT NULL CHECK (hash <> ''), -- address_hash or domain_hash
	series_id INTEGER NOT NULL DEFAULT 0 CHECK (series_id >= 0), -- 0: everything
	reason    TEXT NOT NULL CHECK (reason IN ('unsubscribe', 'bounce', 'complaint', 'erasure', 'manual')),
	because   TEXT NOT NULL DEFAULT '',
	created   INTEGER NOT NULL,
	UNIQUE (hash, series_id, reason)
) STRICT;

-- Enrolments as they count now.
CREATE VIEW enrolled AS
SELECT e.id, e.series_id, e.subscriber_id,
	CASE WHEN e.state IN ('active', 'paused') AND EXISTS (SELECT 1 FROM imports i WHERE i.id = e.import_id AND i.done IS NULL)
		THEN 'pending' ELSE e.state END AS state,
	e.ended_by, e.cycle, e.paused_until, e.reading_id, e.active_since, e.ended_at, e.created, e.updated
FROM enrolments e;

CREATE VIEW mailable AS
SELECT e.series_id, e.subscriber_id, e.id AS enrolment_id, s.email, s.name, s.language, e.cycle, e.reading_id, e.active_since
FROM enrolments e
JOIN subscribers s ON s.id = e.subscriber_id
WHERE e.state = 'active' AND s.erased IS NULL
	AND NOT EXISTS (SELECT 1 FROM imports i WHERE i.id = e.import_id AND i.done IS NULL)
	AND NOT EXISTS (SELECT 1 FROM suppressions x WHERE x.hash = s.address_hash AND x.series_id IN (0, e.series_id))
	AND NOT EXISTS (SELECT 1 FROM suppressions x WHERE x.hash = s.domain_hash AND x.series_id IN (0, e.series_id));

-- Which key file belongs to this database: under another one no link already sent works, and suppressed people are strangers.
CREATE TABLE site_key (
	id          INTEGER PRIMARY KEY CHECK (id = 1),
	fingerprint TEXT NOT NULL
) STRICT;
