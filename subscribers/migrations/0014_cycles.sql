-- +goose Up
-- When the cycle that somebody is in began, by their own choice to start again; NULL: it is the first, which began as they came.
ALTER TABLE enrolments ADD COLUMN cycle_since INTEGER CHECK ((cycle_since IS NULL) = (cycle = 1));

-- The same people as before, with that instant. What they had read before they came counts in the first cycle alone.
DROP VIEW enrolled;
CREATE VIEW enrolled AS
SELECT e.id, e.series_id, e.subscriber_id,
	CASE WHEN e.state IN ('active', 'paused') AND EXISTS (SELECT 1 FROM imports i WHERE i.id = e.import_id AND i.done IS NULL)
		THEN 'pending' ELSE e.state END AS state,
	e.ended_by, e.cycle, e.cycle_since, e.paused_until, e.reading_id, e.active_since, e.ended_at, e.created, e.updated
FROM enrolments e;

DROP VIEW mailable;
CREATE VIEW mailable AS
SELECT e.series_id, e.subscriber_id, e.id AS enrolment_id, s.email, s.name, s.language, e.cycle, e.cycle_since,
	CASE e.cycle WHEN 1 THEN e.reading_id END AS reading_id, e.active_since
FROM enrolments e
JOIN subscribers s ON s.id = e.subscriber_id
WHERE e.state = 'active' AND s.erased IS NULL
	AND NOT EXISTS (SELECT 1 FROM imports i WHERE i.id = e.import_id AND i.done IS NULL)
	AND NOT EXISTS (SELECT 1 FROM suppressions x WHERE x.hash = s.address_hash AND x.series_id = 0)
	AND NOT EXISTS (SELECT 1 FROM suppressions x WHERE x.hash = s.address_hash AND x.series_id = e.series_id)
	AND NOT EXISTS (SELECT 1 FROM suppressions x WHERE x.hash = s.domain_hash AND x.series_id = 0)
	AND NOT EXISTS (SELECT 1 FROM suppressions x WHERE x.hash = s.domain_hash AND x.series_id = e.series_id);

DROP VIEW on_break;
CREATE VIEW on_break AS
SELECT e.series_id, e.subscriber_id, e.cycle, e.cycle_since, CASE e.cycle WHEN 1 THEN e.reading_id END AS reading_id, e.paused_until
FROM enrolments e
JOIN subscribers s ON s.id = e.subscriber_id
WHERE e.state = 'paused' AND s.erased IS NULL
	AND NOT EXISTS (SELECT 1 FROM imports i WHERE i.id = e.import_id AND i.done IS NULL)
	AND NOT EXISTS (SELECT 1 FROM suppressions x WHERE x.hash = s.address_hash AND x.series_id = 0)
	AND NOT EXISTS (SELECT 1 FROM suppressions x WHERE x.hash = s.address_hash AND x.series_id = e.series_id)
	AND NOT EXISTS (SELECT 1 FROM suppressions x WHERE x.hash = s.domain_hash AND x.series_id = 0)
	AND NOT EXISTS (SELECT 1 FROM suppressions x WHERE x.hash = s.domain_hash AND x.series_id = e.series_id);
