-- +goose Up
ALTER TABLE subscribers ADD COLUMN zone TEXT NOT NULL DEFAULT '' CHECK (erased IS NULL OR zone = ''); -- IANA; empty: the series'
-- Sorted, each between commas, as in ',guest,vip,'; empty: none.
ALTER TABLE subscribers ADD COLUMN tags TEXT NOT NULL DEFAULT '' CHECK (erased IS NULL OR tags = '');
