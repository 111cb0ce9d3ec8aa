-- +goose Up
-- What came back that says something of us: the editors are told of it.
CREATE INDEX bounces_alarming ON bounces (heard) WHERE class = 'blocked' OR kind = 'complained';

-- Issues that were paused since so many complained. Who resumes one has decided: it isn't done twice.
CREATE TABLE complaint_stops (
	issue_id INTEGER PRIMARY KEY REFERENCES issues (id),
	at       INTEGER NOT NULL
) STRICT;

-- How many readers of a series bounces suppressed, by hour since 1970. In a flood, counting them anew for each would keep all others waiting.
CREATE TABLE suppressed_counts (
	series_id INTEGER NOT NULL,              -- 0: none
	hour      INTEGER NOT NULL,
	n         INTEGER NOT NULL CHECK (n > 0),
	PRIMARY KEY (series_id, hour)
) STRICT;
INSERT INTO suppressed_counts (series_id, hour, n)
SELECT series_id, applied / 3600000, count(DISTINCT subscriber_id) FROM bounces WHERE suppressed = 1 AND kind = 'bounced' GROUP BY 1, 2;
DROP INDEX bounces_suppressed;

-- What servers said goes with the row of its delivery; of a notice, whose row stays, once it is as old.
CREATE INDEX bounces_of_notices ON bounces (heard) WHERE issue_id IS NULL AND said <> '';
UPDATE bounces SET said = '' WHERE said <> '' AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = bounces.delivery_id);
