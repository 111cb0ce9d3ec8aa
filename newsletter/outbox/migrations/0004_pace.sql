-- +goose Up
-- A lane is a mailbox provider with a pace of its own, or a domain that was given one since it refused our mail. 0 is the rest.
CREATE TABLE lanes (
	id    INTEGER PRIMARY KEY,
	name  TEXT NOT NULL UNIQUE,
	speed REAL CHECK (speed > 0),          -- messages a second that it has shown it takes; NULL: not known yet
	clean INTEGER NOT NULL DEFAULT 0       -- messages taken since the speed changed
) STRICT;
INSERT INTO lanes (id, name) VALUES (0, 'rest'), (1, 'gmail'), (2, 'microsoft'), (3, 'yahoo'), (4, 'icloud');

CREATE TABLE lane_domains (
	domain TEXT PRIMARY KEY,               -- as in the comparison form of addresses
	lane   INTEGER NOT NULL REFERENCES lanes (id)
) STRICT;
INSERT INTO lane_domains (domain, lane) VALUES
	('gmail.com', 1), ('googlemail.com', 1),
	('outlook.com', 2), ('hotmail.com', 2), ('live.com', 2), ('msn.com', 2), ('passport.com', 2), ('windowslive.com', 2),
	('outlook.at', 2), ('outlook.be', 2), ('outlook.cl', 2), ('outlook.co.id', 2), ('outlook.co.il', 2), ('outlook.co.th', 2),
	('outlook.com.ar', 2), ('outlook.com.au', 2), ('outlook.com.br', 2), ('outlook.com.gr', 2), ('outlook.com.tr', 2),
	('outlook.com.vn', 2), ('outlook.cz', 2), ('outlook.de', 2), ('outlook.dk', 2), ('outlook.es', 2), ('outlook.fr', 2),
	('outlook.hu', 2), ('outlook.ie', 2), ('outlook.in', 2), ('outlook.it', 2), ('outlook.jp', 2), ('outlook.kr', 2),
	('outlook.lv', 2), ('outlook.my', 2), ('outlook.ph', 2), ('outlook.pt', 2), ('outlook.sa', 2), ('outlook.sg', 2), ('outlook.sk', 2),
	('hotmail.at', 2), ('hotmail.be', 2), ('hotmail.ca', 2), ('hotmail.ch', 2), ('hotmail.cl', 2), ('hotmail.co.il', 2),
	('hotmail.co.jp', 2), ('hotmail.co.kr', 2), ('hotmail.co.nz', 2), ('hotmail.co.th', 2), ('hotmail.co.uk', 2), ('hotmail.co.za', 2),
	('hotmail.com.ar', 2), ('hotmail.com.au', 2), ('hotmail.com.br', 2), ('hotmail.com.mx', 2), ('hotmail.com.tr', 2),
	('hotmail.cz', 2), ('hotmail.de', 2), ('hotmail.dk', 2), ('hotmail.es', 2), ('hotmail.fi', 2), ('hotmail.fr', 2), ('hotmail.gr', 2),
	('hotmail.hu', 2), ('hotmail.it', 2), ('hotmail.nl', 2), ('hotmail.no', 2), ('hotmail.pt', 2), ('hotmail.se', 2),
	('live.at', 2), ('live.be', 2), ('live.ca', 2), ('live.ch', 2), ('live.cl', 2), ('live.cn', 2), ('live.co.uk', 2), ('live.co.za', 2),
	('live.com.ar', 2), ('live.com.au', 2), ('live.com.mx', 2), ('live.com.pt', 2), ('live.de', 2), ('live.dk', 2), ('live.fi', 2),
	('live.fr', 2), ('live.ie', 2), ('live.in', 2), ('live.it', 2), ('live.jp', 2), ('live.nl', 2), ('live.no', 2), ('live.ru', 2), ('live.se', 2),
	('yahoo.com', 3), ('ymail.com', 3), ('rocketmail.com', 3), ('myyahoo.com', 3), ('aol.com', 3), ('aim.com', 3), ('aol.co.uk', 3),
	('aol.de', 3), ('aol.fr', 3), ('aol.it', 3), ('netscape.net', 3), ('verizon.net', 3), ('att.net', 3), ('sbcglobal.net', 3),
	('bellsouth.net', 3), ('ameritech.net', 3), ('pacbell.net', 3), ('swbell.net', 3), ('rogers.com', 3), ('yahoo.ca', 3), ('yahoo.cl', 3),
	('yahoo.co.id', 3), ('yahoo.co.in', 3), ('yahoo.co.kr', 3), ('yahoo.co.nz', 3), ('yahoo.co.th', 3), ('yahoo.co.uk', 3), ('yahoo.co.za', 3),
	('yahoo.com.ar', 3), ('yahoo.com.au', 3), ('yahoo.com.br', 3), ('yahoo.com.co', 3), ('yahoo.com.hk', 3), ('yahoo.com.mx', 3),
	('yahoo.com.my', 3), ('yahoo.com.pe', 3), ('yahoo.com.ph', 3), ('yahoo.com.sg', 3), ('yahoo.com.tr', 3), ('yahoo.com.tw', 3),
	('yahoo.com.ve', 3), ('yahoo.com.vn', 3), ('yahoo.cz', 3), ('yahoo.de', 3), ('yahoo.dk', 3), ('yahoo.es', 3), ('yahoo.fi', 3), ('yahoo.fr', 3),
	('yahoo.gr', 3), ('yahoo.hu', 3), ('yahoo.ie', 3), ('yahoo.in', 3), ('yahoo.it', 3), ('yahoo.nl', 3), ('yahoo.no', 3), ('yahoo.pl', 3),
	('yahoo.pt', 3), ('yahoo.ro', 3), ('yahoo.se', 3),
	('icloud.com', 4), ('me.com', 4), ('mac.com', 4);

-- Of whom a delivery is, so that a provider that has to wait stands in nobody's way. Notices have lane 0, as what waits already.
ALTER TABLE deliveries ADD COLUMN lane INTEGER NOT NULL DEFAULT 0;
DROP INDEX deliveries_due;
CREATE INDEX deliveries_due ON deliveries (issue_id, lane, next_try) WHERE state = 'pending'; -- notices stand under NULL

-- Providers that an issue doesn't go to for now, since they refused it; lane -1: the relay refuses it, and all of it is paused.
CREATE TABLE stops (
	issue_id INTEGER NOT NULL REFERENCES issues (id),
	lane     INTEGER NOT NULL,
	class    TEXT NOT NULL,
	reply    TEXT NOT NULL,                -- the last refusal, addresses redacted
	since    INTEGER NOT NULL,
	PRIMARY KEY (issue_id, lane)
) STRICT;

-- What left within the limits that are longer than a run: a slice counts until it is older than its limit is long.
CREATE TABLE handed (
	scope TEXT NOT NULL,                   -- relay, or a lane's name
	per   INTEGER NOT NULL CHECK (per > 0), -- ms: the length of the limit
	until INTEGER NOT NULL,                -- the slice's end
	n     INTEGER NOT NULL CHECK (n > 0),
	PRIMARY KEY (scope, per, until)
) STRICT;

-- New sender domains that are being warmed up, as the configuration names them.
CREATE TABLE warm_ups (
	domain  TEXT PRIMARY KEY,
	step    INTEGER NOT NULL DEFAULT 0,    -- how often its day's messages were doubled
	day     TEXT NOT NULL DEFAULT '',      -- the last on which it sent, and how it went
	taken   INTEGER NOT NULL DEFAULT 0,
	judged  INTEGER NOT NULL DEFAULT 0,
	refused INTEGER NOT NULL DEFAULT 0
) STRICT;
