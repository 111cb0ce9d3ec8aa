-- +goose Up
-- The first mark of a row more than doubles it. Without room kept for that, pages overflowed at the mark, and commits of marks wrote
-- twice the pages. Of claimed rows of issues: as many spaces as that mark adds octets.
ALTER TABLE deliveries ADD COLUMN room TEXT NOT NULL DEFAULT '' CHECK (room = '' OR state = 'claimed');
