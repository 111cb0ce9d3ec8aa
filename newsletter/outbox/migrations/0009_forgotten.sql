-- +goose Up
-- Whom a notice went to is nobody's business once it is over, and of whom was erased no notice waits. The CHECK stood against that, so
-- the table is made anew. deliveries name its rows: what they miss meanwhile is counted, and they find it again before the commit.
PRAGMA defer_foreign_keys = ON;

CREATE TABLE notices_before (
	id            INTEGER PRIMARY KEY,
	kind          TEXT NOT NULL,
	dedupe        TEXT NOT NULL,
	subscriber_id INTEGER,
	to_name       TEXT NOT NULL,
	to_email      TEXT NOT NULL,
	from_name     TEXT NOT NULL,
	from_email    TEXT NOT NULL,
	reply_to      TEXT NOT NULL,
	subject       TEXT NOT NULL,
	html          TEXT NOT NULL,
	text          TEXT NOT NULL,
	expires       INTEGER NOT NULL,
	created       INTEGER NOT NULL
) STRICT;

-- The keys of editors' mails had their addresses in them. They are hashes since: what is still to be said is said once more.
INSERT INTO notices_before (id, kind, dedupe, subscriber_id, to_name, to_email, from_name, from_email, reply_to, subject, html, text, expires, created)
SELECT n.id, n.kind, CASE WHEN n.dedupe LIKE '%@%' THEN n.kind || ' ' || n.id ELSE n.dedupe END, n.subscriber_id,
	CASE WHEN d.state IN ('pending', 'claimed', 'inflight') THEN n.to_name ELSE '' END,
	CASE WHEN d.state IN ('pending', 'claimed', 'inflight') THEN n.to_email ELSE '' END,
	n.from_name,
	CASE WHEN d.state IN ('pending', 'claimed', 'inflight') OR n.from_email <> n.to_email THEN n.from_email ELSE '' END,
	n.reply_to,
	n.subject,
	CASE WHEN d.state IN ('pending', 'claimed', 'inflight') THEN n.html ELSE '' END,
	CASE WHEN d.state IN ('pending', 'claimed', 'inflight') THEN n.text ELSE '' END,
	n.expires, n.created
FROM notices n JOIN deliveries d ON d.notice_id = n.id;

DROP TABLE notices;

CREATE TABLE notices (
	id            INTEGER PRIMARY KEY,
	kind          TEXT NOT NULL CHECK (kind IN ('confirmation', 'login', 'test', 'editors')),
	dedupe        TEXT NOT NULL UNIQUE,     -- the same word is not said twice; no address is in it
	subscriber_id INTEGER REFERENCES subscribers (id), -- whose it is; their address is read at the mark, unless it goes to another
	to_name       TEXT NOT NULL DEFAULT '',
	to_email      TEXT NOT NULL DEFAULT '', -- of those who are no subscribers, and addresses that somebody moves to or from
	from_name     TEXT NOT NULL,
	from_email    TEXT NOT NULL,
	reply_to      TEXT NOT NULL DEFAULT '',
	subject       TEXT NOT NULL,
	html          TEXT NOT NULL,
	text          TEXT NOT NULL,
	expires       INTEGER NOT NULL,         -- its token's end: later it is not worth sending
	created       INTEGER NOT NULL,
	CHECK (subscriber_id IS NOT NULL OR to_email <> '' OR (html = '' AND text = '')) -- over: forgotten, but for that it was
) STRICT;
CREATE INDEX notices_by_subscriber ON notices (subscriber_id) WHERE subscriber_id IS NOT NULL;

INSERT INTO notices (id, kind, dedupe, subscriber_id, to_name, to_email, from_name, from_email, reply_to, subject, html, text, expires, created)
SELECT id, kind, dedupe, subscriber_id, to_name, to_email, from_name, from_email, reply_to, subject, html, text, expires, created
FROM notices_before;

DROP TABLE notices_before;

-- Whoever erases somebody, and for whatever reason: what waits for them is empty from then on, and what relays said of them goes. The
-- worker finds at the mark that they are gone.
-- +goose StatementBegin
CREATE TRIGGER subscribers_forgotten AFTER UPDATE OF erased ON subscribers
WHEN NEW.erased IS NOT NULL
BEGIN
	UPDATE notices SET to_name = '', to_email = '', html = '', text = '' WHERE subscriber_id = NEW.id;
	UPDATE deliveries SET reply = '' WHERE subscriber_id = NEW.id AND reply <> '';
	UPDATE deliveries SET reply = '' WHERE reply <> '' AND notice_id IN (SELECT id FROM notices WHERE subscriber_id = NEW.id);
END;
-- +goose StatementEnd

UPDATE deliveries SET reply = ''
WHERE reply <> '' AND subscriber_id IN (SELECT id FROM subscribers WHERE erased IS NOT NULL);
UPDATE notices SET to_name = '', to_email = '', html = '', text = ''
WHERE subscriber_id IN (SELECT id FROM subscribers WHERE erased IS NOT NULL);
