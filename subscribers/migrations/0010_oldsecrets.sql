-- +goose Up
-- The secrets for tokens that a rotation has replaced. By each only those requests to join are confirmed that were made before.
CREATE TABLE old_secrets (
	number       INTEGER PRIMARY KEY CHECK (number > 0), -- of the line in the key file
	last_request INTEGER NOT NULL CHECK (last_request >= 0) -- the highest consent then
) STRICT;

-- When the rotations of before were is not known: what was asked for until now counts as asked before. A fingerprint has 16 characters.
INSERT INTO old_secrets (number, last_request)
WITH RECURSIVE secrets (number, count) AS (
	SELECT 1, (length(fingerprint) + 1) / 17 FROM site_key
	UNION ALL
	SELECT number + 1, count FROM secrets WHERE number < count
)
SELECT number, (SELECT coalesce(max(id), 0) FROM consents) FROM secrets WHERE number < count;
