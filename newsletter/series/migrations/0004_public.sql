-- +goose Up
-- Who may see that a series exists. private: its pages stay out of search programs, the site's first page and its map.
-- sensitive: what it is about says something of whoever reads it (health), so nothing that leaves the machine shows its name:
-- public_name stands for the slug in links and headers. It is never taken back: links keep it.
ALTER TABLE series ADD COLUMN private INTEGER NOT NULL DEFAULT 0 CHECK (private IN (0, 1));
ALTER TABLE series ADD COLUMN sensitive INTEGER NOT NULL DEFAULT 0 CHECK (sensitive IN (0, 1));
ALTER TABLE series ADD COLUMN public_name TEXT NOT NULL DEFAULT '' CHECK (sensitive = 0 OR public_name <> '');
CREATE UNIQUE INDEX series_by_public_name ON series (public_name) WHERE public_name <> '';
