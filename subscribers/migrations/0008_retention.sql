-- +goose Up
-- Who left a series long ago, without a look at all of its people.
CREATE INDEX enrolments_ended ON enrolments (series_id, ended_at) WHERE state = 'ended';

-- Of whom the consents are all that is left of a sensitive series: they still get another one, so that nothing lets these go before
-- the person does. Which series it was is not said here.
CREATE TABLE proven (
	subscriber_id INTEGER PRIMARY KEY REFERENCES subscribers (id)
) STRICT;
