-- +goose Up
-- Forms that were sent in and have yet to be looked at. The page that takes one does no more than this, so that its answer takes
-- the same for every address.
CREATE TABLE asked (
	id   INTEGER PRIMARY KEY AUTOINCREMENT,
	at   INTEGER NOT NULL,
	form TEXT NOT NULL                      -- JSON: see Asked
) STRICT;

-- Which network sent a form, for an hour: how many may come from one, and from all, is counted here and so outlives a restart.
CREATE TABLE sign_ups (
	id      INTEGER PRIMARY KEY,
	network TEXT NOT NULL,
	at      INTEGER NOT NULL
) STRICT;
CREATE INDEX sign_ups_by_network ON sign_ups (network, at);
CREATE INDEX sign_ups_by_time ON sign_ups (at);

-- More of the proof of a consent.
ALTER TABLE consents ADD COLUMN wording_version TEXT NOT NULL DEFAULT ''; -- of the wording: the same for the same words
ALTER TABLE consents ADD COLUMN language TEXT NOT NULL DEFAULT '';        -- that the wording was in
ALTER TABLE consents ADD COLUMN token TEXT NOT NULL DEFAULT '';           -- id of the link that was used; no link can be made of it
ALTER TABLE consents ADD COLUMN message_id TEXT NOT NULL DEFAULT '';      -- of the mail that had the link in it
