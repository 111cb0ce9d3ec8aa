-- +goose Up
-- What stays of the deliveries of old issues, once their evidence is of no more use: who had which article in which cycle, when, and
-- by its issue in which revision and with which disclaimer. Its first use is the question of one person, hence the key.
CREATE TABLE kept (
	subscriber_id INTEGER NOT NULL REFERENCES subscribers (id),
	issue_id      INTEGER NOT NULL REFERENCES issues (id),
	series_id     INTEGER NOT NULL REFERENCES series (id),
	article_id    INTEGER REFERENCES articles (id), -- NULL: nothing that counts as had
	cycle         INTEGER NOT NULL,
	sent          INTEGER NOT NULL CHECK (sent IN (0, 1)), -- 0: its content was refused, which counts as had too
	at            INTEGER NOT NULL,                  -- when they had it
	PRIMARY KEY (subscriber_id, issue_id),
	CHECK (sent = 1 OR article_id IS NOT NULL)
) STRICT, WITHOUT ROWID;

-- How many rows left deliveries, by issue and the state they had: with those that are still there, they are its counts.
CREATE TABLE kept_counts (
	issue_id INTEGER PRIMARY KEY REFERENCES issues (id),
	sent     INTEGER NOT NULL,
	failed   INTEGER NOT NULL,
	skipped  INTEGER NOT NULL
) STRICT;
