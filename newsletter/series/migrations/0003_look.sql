-- +goose Up
-- How the letters of a series look, as JSON: what differs from the theme, and the hash of the logo.
ALTER TABLE series ADD COLUMN look TEXT NOT NULL DEFAULT '{}';
