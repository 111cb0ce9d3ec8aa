-- +goose Up
-- A mark makes its row longer than a claimed one by half. Without room kept for that, every third mark split a page of the table, and
-- each commit wrote a third more pages.
ALTER TABLE deliveries ADD COLUMN room TEXT NOT NULL DEFAULT ''; -- of claimed rows: as many spaces as the mark will write octets
