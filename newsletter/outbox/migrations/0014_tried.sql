-- +goose Up
-- How often somebody tried whether the database can be written: a write that changes nothing would write nothing.
ALTER TABLE instance ADD COLUMN tried INTEGER NOT NULL DEFAULT 0;
