-- +goose Up
-- An announcement that went to everybody of its article's series counts as the article's issue there (SERIES, rule 18); one to a few
-- of them, or to other series, does not.
ALTER TABLE issues ADD COLUMN everybody INTEGER NOT NULL DEFAULT 0 CHECK (everybody = 0 OR (everybody = 1 AND kind = 'announcement'));
