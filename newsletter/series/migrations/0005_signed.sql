-- +goose Up
-- Sender domains whose mail was signed here. Nothing of them leaves unsigned until somebody says that it may.
CREATE TABLE signed_domains (
	domain TEXT PRIMARY KEY CHECK (domain <> '' AND domain = lower(domain)),
	since  INTEGER NOT NULL
) STRICT;
