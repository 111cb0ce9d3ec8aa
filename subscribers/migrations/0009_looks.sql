-- +goose Up
-- The sum over the rows that an import has taken, in their order and as what: a version that sorts or reads them otherwise sees by it that
-- those which it would pass over are not those that were taken. 0 of an import that was stopped before there was one.
ALTER TABLE imports ADD COLUMN taken_sum INTEGER NOT NULL DEFAULT 0;

-- When a look at whom the consents alone are kept of can find that they get nothing any more.
ALTER TABLE proven ADD COLUMN look_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX proven_by_look ON proven (look_at);
