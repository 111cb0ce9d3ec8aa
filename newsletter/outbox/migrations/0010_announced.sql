-- +goose Up
-- Until now every announcement of an article counted as its issue. Those that went to readers of the article's own series go on doing
-- so: an upgrade must not give a turn back that the plan had passed. (Here, since series' migrations come before deliveries are made.)
UPDATE issues SET everybody = 1
WHERE kind = 'announcement' AND article_id IS NOT NULL AND NOT (state = 'cancelled' AND reached = 0)
	AND (EXISTS (SELECT 1 FROM deliveries d JOIN articles a ON a.id = issues.article_id
			WHERE d.issue_id = issues.id AND d.series_id = a.series_id)
		OR EXISTS (SELECT 1 FROM kept k JOIN articles a ON a.id = issues.article_id
			WHERE k.issue_id = issues.id AND k.series_id = a.series_id));
