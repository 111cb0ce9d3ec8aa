-- +goose Up
-- Why the last try to go on with an import failed; empty: none did since its rows last came on.
ALTER TABLE imports ADD COLUMN failed TEXT NOT NULL DEFAULT '';

-- When an import was given up. It is never done, so who is here by it alone counts as pending, as while it was stopped.
ALTER TABLE imports ADD COLUMN given_up INTEGER;
