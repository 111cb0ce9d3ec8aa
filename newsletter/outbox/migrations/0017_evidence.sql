-- +goose Up
-- Deliveries of which a report says that they had arrived while they are still in flight, or are to be sent once more: it waits here for
-- their end. No reference, as of bounces: rows of deliveries go one day.
CREATE TABLE evidence (
	delivery_id INTEGER PRIMARY KEY,
	heard       INTEGER NOT NULL
) STRICT;
