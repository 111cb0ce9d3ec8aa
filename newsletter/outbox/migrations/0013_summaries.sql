-- +goose Up
-- Which issues were summed up for the editors, a day after they began (SERIES, rule 20). Nothing is said of those that began before this
-- was known: an upgrade must not tell old news.
CREATE TABLE summaries (
	issue_id INTEGER PRIMARY KEY REFERENCES issues (id),
	told     INTEGER                        -- NULL: it began before
) STRICT;
INSERT INTO summaries (issue_id) SELECT id FROM issues WHERE sending_since IS NOT NULL;

CREATE INDEX issues_by_sending ON issues (sending_since) WHERE sending_since IS NOT NULL;
