-- +goose Up
-- A delivery that goes through turns its state three times. Indexes that name the state were written each time; these are
-- touched by few turns: due when a row is claimed, leased when it is claimed and when it ends, ended when it ends, had when
-- it stops to count or counts again.
ALTER TABLE deliveries ADD COLUMN gone INTEGER NOT NULL DEFAULT 0 CHECK (gone IN (0, 1)); -- 1: it doesn't count as had

DROP INDEX deliveries_had;
DROP INDEX deliveries_leased;
DROP INDEX deliveries_counts;

UPDATE deliveries SET gone = 1 WHERE state = 'skipped' OR (state = 'failed' AND class <> 'content');

CREATE UNIQUE INDEX deliveries_had ON deliveries (series_id, article_id, subscriber_id, cycle) WHERE article_id IS NOT NULL AND gone = 0;
CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE owner <> ''; -- claimed and inflight
CREATE INDEX deliveries_ended ON deliveries (issue_id, state) WHERE state IN ('sent', 'failed', 'skipped', 'uncertain');

-- +goose StatementBegin
CREATE TRIGGER deliveries_gone AFTER UPDATE OF state, class ON deliveries
WHEN NEW.gone <> (NEW.state = 'skipped' OR (NEW.state = 'failed' AND NEW.class <> 'content'))
BEGIN
	UPDATE deliveries SET gone = 1 - gone WHERE id = NEW.id;
END;
-- +goose StatementEnd
