-- +goose Up
-- Why somebody left, if they said so afterwards; of a leave in the consents, and apart from it since it is no evidence.
CREATE TABLE leave_reasons (
	consent_id INTEGER PRIMARY KEY REFERENCES consents (id),
	reason     TEXT NOT NULL CHECK (reason IN ('often', 'content', 'asked', 'elsewhere', 'other')),
	note       TEXT NOT NULL DEFAULT '',
	at         INTEGER NOT NULL
) STRICT;

-- Links that are mailed when somebody asks for them, good for an hour. A change of address that was made stays as its record.
CREATE TABLE fresh_links (
	id            INTEGER PRIMARY KEY AUTOINCREMENT, -- numbers are never given twice: links name them
	subscriber_id INTEGER NOT NULL REFERENCES subscribers (id),
	purpose       TEXT NOT NULL CHECK (purpose IN ('manage', 'address')),
	address_hash  TEXT NOT NULL,            -- of the person's address when they asked: the link dies with it
	email         TEXT NOT NULL DEFAULT '', -- of 'address': the new one, as typed; once changed: the old one
	asked         INTEGER NOT NULL,
	expires       INTEGER NOT NULL,
	changed       INTEGER,                  -- of 'address': when the button was pressed
	ip            TEXT NOT NULL DEFAULT '',
	agent         TEXT NOT NULL DEFAULT '',
	CHECK ((purpose = 'address') = (email <> '')),
	CHECK (changed IS NULL OR purpose = 'address')
) STRICT;
CREATE INDEX fresh_links_by_subscriber ON fresh_links (subscriber_id, asked);
