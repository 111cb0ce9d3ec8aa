-- +goose Up
-- Whose hold and pin a slot has, where a slot before it ended without an issue: that one's wall time. Empty: its own.
ALTER TABLE slots ADD COLUMN hold_of TEXT NOT NULL DEFAULT '';
ALTER TABLE slots ADD COLUMN pin_of TEXT NOT NULL DEFAULT '';
CREATE INDEX slots_moved ON slots (series_id, fires) WHERE hold_of <> '' OR pin_of <> '';
