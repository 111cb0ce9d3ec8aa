-- +goose Up
-- Where people's mail goes: the domain of the comparison form. Whoever sends groups deliveries by it.
CREATE VIEW addressed AS
SELECT s.id AS subscriber_id, substr(s.email_key, instr(s.email_key, '@') + 1) AS domain
FROM subscribers s WHERE s.erased IS NULL;
