-- +goose Up
CREATE TABLE series (
	id             INTEGER PRIMARY KEY,
	slug           TEXT NOT NULL UNIQUE CHECK (slug <> 'site'), -- announcements are named site/…
	title          TEXT NOT NULL CHECK (trim(title) <> ''),
	from_name      TEXT NOT NULL,
	from_email     TEXT NOT NULL,
	reply_to       TEXT NOT NULL DEFAULT '',
	postal_address TEXT NOT NULL CHECK (trim(postal_address) <> ''),
	language       TEXT NOT NULL DEFAULT 'en',
	zone           TEXT NOT NULL,            -- IANA name
	schedule       TEXT NOT NULL CHECK (schedule <> ''), -- cron lines, one a line
	start_date     TEXT NOT NULL DEFAULT '', -- first local date that may have a slot
	mode           TEXT NOT NULL DEFAULT 'live' CHECK (mode IN ('live', 'drip')),
	welcome        TEXT NOT NULL DEFAULT 'latest' CHECK (welcome IN ('none', 'first', 'latest')),
	min_gap        INTEGER NOT NULL DEFAULT 259200000 CHECK (min_gap >= 0),  -- ms between a welcome and the next drip slot
	when_not_ready TEXT NOT NULL DEFAULT 'hold' CHECK (when_not_ready IN ('hold', 'skip')),
	grace          INTEGER NOT NULL DEFAULT 21600000 CHECK (grace >= 0),   -- ms a slot may be late and still go out
	state          TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused')),
	planned_from   INTEGER NOT NULL,         -- slots before this instant are none of ours: made, resumed, rescheduled then
	planned_until  INTEGER NOT NULL,         -- every slot from planned_from up to this instant has its row
	created        INTEGER NOT NULL,
	updated        INTEGER NOT NULL
) STRICT;

-- Wordings of the disclaimer; the newest counts. Rows are never changed: an issue names the one it carried.
CREATE TABLE disclaimers (
	id        INTEGER PRIMARY KEY,
	series_id INTEGER NOT NULL REFERENCES series (id),
	version   INTEGER NOT NULL,
	text      TEXT NOT NULL CHECK (trim(text) <> ''),
	place     TEXT NOT NULL DEFAULT 'end' CHECK (place IN ('start', 'end', 'both')),
	created   INTEGER NOT NULL,
	UNIQUE (series_id, version)
) STRICT;

CREATE TABLE articles (
	id        INTEGER PRIMARY KEY,
	series_id INTEGER NOT NULL REFERENCES series (id),
	slug      TEXT NOT NULL UNIQUE,
	rank      INTEGER NOT NULL,              -- from 1; equal only inside the transaction that moves
	state     TEXT NOT NULL CHECK (state IN ('draft', 'ready', 'withdrawn')),
	revision  INTEGER NOT NULL,              -- the newest
	placed    INTEGER NOT NULL,              -- when it got its rank, or became ready
	elsewhere INTEGER NOT NULL DEFAULT 0 CHECK (elsewhere IN (0, 1)), -- published before us (rule 5)
	backfill  INTEGER NOT NULL DEFAULT 0 CHECK (backfill IN (0, 1)),  -- the editor asked for it (rule 4)
	source    TEXT NOT NULL DEFAULT '',      -- file it was imported from
	created   INTEGER NOT NULL,
	updated   INTEGER NOT NULL
) STRICT;
CREATE INDEX articles_by_rank ON articles (series_id, rank);

CREATE TABLE revisions (
	article_id       INTEGER NOT NULL REFERENCES articles (id),
	number           INTEGER NOT NULL,
	title            TEXT NOT NULL CHECK (trim(title) <> ''),
	subject          TEXT NOT NULL DEFAULT '', -- empty: the title
	preheader        TEXT NOT NULL DEFAULT '',
	description      TEXT NOT NULL DEFAULT '',
	markdown         TEXT NOT NULL,
	disclaimer       TEXT NOT NULL DEFAULT '',
	disclaimer_mode  TEXT NOT NULL DEFAULT 'add' CHECK (disclaimer_mode IN ('add', 'replace')),
	date             TEXT NOT NULL DEFAULT '', -- YYYY-MM-DD, as its author gave it
	meta             TEXT NOT NULL DEFAULT '{}', -- JSON: front matter that has no column here, kept for export
	created          INTEGER NOT NULL,
	PRIMARY KEY (article_id, number)
) STRICT;

CREATE TABLE slots (
	id         INTEGER PRIMARY KEY,
	series_id  INTEGER NOT NULL REFERENCES series (id),
	wall       TEXT NOT NULL,                -- local date and time without zone: 2027-03-28T02:30
	fires      INTEGER NOT NULL,             -- the instant
	state      TEXT NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'issued', 'empty', 'missed', 'skipped', 'waiting', 'held')),
	article_id INTEGER REFERENCES articles (id), -- pinned
	hold       INTEGER NOT NULL DEFAULT 0 CHECK (hold IN (0, 1)), -- an editor holds its issue before it fires
	reason     TEXT NOT NULL DEFAULT '',
	created    INTEGER NOT NULL,
	updated    INTEGER NOT NULL,
	UNIQUE (series_id, wall)
) STRICT;
CREATE INDEX slots_due ON slots (fires) WHERE state = 'planned';
CREATE INDEX slots_by_time ON slots (series_id, fires);

CREATE TABLE issues (
	id             INTEGER PRIMARY KEY,
	name           TEXT NOT NULL UNIQUE,     -- skin/2027-03-30T09:00, …/ARTICLE in drip, …T09:12/now|welcome|correction
	series_id      INTEGER REFERENCES series (id),     -- NULL: an announcement for the site
	article_id     INTEGER REFERENCES articles (id),   -- NULL: corrections and announcements that carry none
	revision       INTEGER,
	slot           TEXT NOT NULL,            -- wall time of its slot, or the local minute it was made
	kind           TEXT NOT NULL CHECK (kind IN ('slot', 'now', 'welcome', 'correction', 'announcement')),
	state          TEXT NOT NULL CHECK (state IN ('planned', 'filling', 'sending', 'paused', 'held', 'done', 'cancelled')),
	reason         TEXT NOT NULL DEFAULT '', -- why held, paused or cancelled
	reached        INTEGER NOT NULL DEFAULT 0 CHECK (reached IN (0, 1)), -- somebody had it: a cancel keeps its article
	subject        TEXT NOT NULL CHECK (trim(subject) <> ''),
	disclaimer_id  INTEGER NOT NULL REFERENCES disclaimers (id),
	from_name      TEXT NOT NULL,
	from_email     TEXT NOT NULL,
	reply_to       TEXT NOT NULL,
	language       TEXT NOT NULL,
	fill_after     INTEGER NOT NULL DEFAULT 0, -- the last subscriber already filled, so that a crash resumes there
	frozen         INTEGER NOT NULL,
	sending_since  INTEGER,
	done_at        INTEGER,
	updated        INTEGER NOT NULL,
	-- The documents come last: SQLite reads past what stands before a column.
	html           TEXT NOT NULL,            -- whole document; a hole stands for what is personal
	text           TEXT NOT NULL,
	article_html   TEXT NOT NULL,            -- the article alone, sanitised, for its public page
	UNIQUE (series_id, slot, article_id, kind)
) STRICT;
CREATE INDEX issues_open ON issues (state) WHERE state NOT IN ('done', 'cancelled');
CREATE INDEX issues_by_article ON issues (article_id);
CREATE INDEX issues_by_series ON issues (series_id, frozen);
-- One welcome per series, article and revision; a new wording of the disclaimer makes a new one too.
CREATE UNIQUE INDEX issues_welcome ON issues (series_id, article_id, revision, disclaimer_id)
	WHERE kind = 'welcome' AND state <> 'cancelled';
