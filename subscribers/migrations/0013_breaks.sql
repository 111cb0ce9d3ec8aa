-- +goose Up
-- Who is on a break and gets mail again from its end on, as things are now: the conditions of mailable but for the state.
CREATE VIEW on_break AS
SELECT e.series_id, e.subscriber_id, e.cycle, e.reading_id, e.paused_until
FROM enrolments e
JOIN subscribers s ON s.id = e.subscriber_id
WHERE e.state = 'paused' AND s.erased IS NULL
	AND NOT EXISTS (SELECT 1 FROM imports i WHERE i.id = e.import_id AND i.done IS NULL)
	AND NOT EXISTS (SELECT 1 FROM suppressions x WHERE x.hash = s.address_hash AND x.series_id = 0)
	AND NOT EXISTS (SELECT 1 FROM suppressions x WHERE x.hash = s.address_hash AND x.series_id = e.series_id)
	AND NOT EXISTS (SELECT 1 FROM suppressions x WHERE x.hash = s.domain_hash AND x.series_id = 0)
	AND NOT EXISTS (SELECT 1 FROM suppressions x WHERE x.hash = s.domain_hash AND x.series_id = e.series_id);
