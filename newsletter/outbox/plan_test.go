package outbox

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
	"pressrun/subscribers/store/storetest"
)

// TestPlans holds the queries that run for each message, claim or second to indexes: with a million rows, one that scans or
// sorts a table would stop everything.
func TestPlans(t *testing.T) {
	db := storetest.Open(t, subscribers.Migrate, series.Migrate, Migrate)
	for _, tt := range []struct{ name, query, want string }{
		{"claim notices", claimNotices, "SEARCH d USING INDEX deliveries_due (issue_id=? AND lane=? AND next_try<?)"},
		{"claim issues", claimIssues, "SEARCH d USING COVERING INDEX deliveries_due (issue_id=? AND lane=? AND next_try<?)"},
		{"claim newest", claimNewest, "SEARCH d USING COVERING INDEX deliveries_due (issue_id=? AND lane=? AND next_try<?)"},
		{"any due", anyDue, "SEARCH d USING COVERING INDEX deliveries_due (issue_id=? AND lane=? AND next_try<?)"},
		{"clamp notices", clampNotices, "deliveries_due (issue_id=? AND lane=? AND next_try>?)"},
		{"clamp issues", clampIssues, "deliveries_due (issue_id=? AND lane=? AND next_try>?)"},
		{"mark issues", markMany.texts[3], "SEARCH e USING INDEX sqlite_autoindex_enrolments_1 (series_id=? AND subscriber_id=?)"},
		{"mark notice", markNotice, "INTEGER PRIMARY KEY"},
		{"sent", sentMany.texts[3], "SEARCH deliveries USING INTEGER PRIMARY KEY"},
		{"turn", turnRow, "SEARCH deliveries USING INTEGER PRIMARY KEY"},
		{"reader", selectReader, "SEARCH e USING INDEX sqlite_autoindex_enrolments_1 (series_id=? AND subscriber_id=?)"},
		{"renew", renewLeases, "deliveries_leased"},
		{"dead", selectDead, "deliveries_leased (lease_until<?)"},
		{"release", selectClaimed, "deliveries_leased"},
		{"skip", skipRows, "deliveries_due (issue_id=?)"},
		{"cancelled", selectCancelled, "deliveries_due (issue_id>?)"},
		{"finished", selectFinished, "SEARCH i USING INDEX issues_open (state=?)"},
		{"put off", selectPutOff, "deliveries_due (issue_id=? AND lane=?)"},
		{"next mailable", nextMailable, "(series_id=? AND subscriber_id>?)"},
		{"fill", insertReaders, "(series_id=? AND subscriber_id>? AND subscriber_id<?)"},
		{"correct", insertCorrected, "(series_id=? AND subscriber_id>? AND subscriber_id<?)"},
		{"outdated", selectOutdated, "issues_by_article (article_id=?)"},
		{"open, waiting", countOpen, "deliveries_due (issue_id=?)"},
		{"open, held", countOpen, "deliveries_leased"},
		{"add", insertReader, "(series_id=? AND subscriber_id=?)"},
		{"had", selectHad, "deliveries_by_subscriber (subscriber_id>? AND subscriber_id<?)"},
		{"had by", hadBy, "deliveries_by_subscriber (subscriber_id>? AND subscriber_id<?)"},
		{"announced", anyAnnounced, "issues_by_article (article_id=?)"},
		{"corrected", isCorrected, "deliveries_leased"},
		{"retry", retryFailed, "deliveries_ended (issue_id=? AND state=?)"},
		{"count", countStates, "COVERING INDEX deliveries_ended (issue_id=?)"},
		{"midway", selectMidway, "deliveries_leased"},
		{"unhanded", countUnhanded, "deliveries_leased"},
		{"settle", settleSent, "deliveries_ended (issue_id=? AND state=?)"},
		{"settle again", settleAgain, "deliveries_ended (issue_id=? AND state=?)"},
		{"settled as sent alone", countOver, "deliveries_ended (issue_id=? AND state=?)"},
		{"refused", unbindRefused, "deliveries_ended (issue_id=? AND state=?)"},
		{"notice", selectNotice, "(notice_id=?)"},
		{"lanes due", selectDueLanes, "deliveries_due (issue_id=? AND lane=? AND next_try<?)"},
		{"soft failures", selectSoft, "deliveries_by_subscriber (subscriber_id=?)"},
		{"unresolved", selectUnresolved, "deliveries_by_subscriber (subscriber_id=?)"},
		{"suppressed of late", countSuppressed, "sqlite_autoindex_suppressed_counts_1 (series_id=? AND hour>?)"},
		{"suppressed already", isCounted, "bounces_by_subscriber (subscriber_id=?)"},
		{"blocked of late", selectBlocked, "bounces_alarming (heard>?)"},
		{"said of deliveries", forgetSaid, "(delivery_id=?)"},
		{"said of notices", forgetNotices, "bounces_of_notices (heard<?)"},
		{"unsummed", selectUnsummed, "SEARCH i USING INDEX issues_by_sending (sending_since>?)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			steps := plan(t, db, tt.query)
			if all := strings.Join(steps, "\n"); !strings.Contains(all, tt.want) {
				t.Errorf("got plan\n%s\nwant in it: %s", all, tt.want)
			}
			for _, step := range steps {
				sorts := strings.Contains(step, "TEMP B-TREE") && !strings.HasSuffix(tt.query, "ON CONFLICT DO NOTHING") // which sort a chunk
				if sorts || scans(step) {
					t.Errorf("a step that grows with the table: %s", step)
				}
			}
		})
	}
}

// scans tells of a plan's step whether it reads a whole table. The index of what is leased is short, and so are the lanes; a
// chunk is as long as its limit; instance has one row.
func scans(step string) bool {
	if strings.Contains(step, "AUTOMATIC") || strings.Contains(step, "MATERIALIZE") {
		return true
	}
	return strings.HasPrefix(step, "SCAN ") && step != "SCAN waiting" && step != "SCAN chunk" && step != "SCAN instance" && step != "SCAN CONSTANT ROW" && !strings.HasSuffix(step, "VALUES CLAUSE") &&
		!strings.Contains(step, "deliveries_leased") && !strings.Contains(step, "sqlite_autoindex_lanes_1")
}

func plan(t *testing.T, db *store.DB, query string) (steps []string) {
	t.Helper()
	var args []any
	for i := 1; strings.Contains(query, fmt.Sprint("?", i)); i++ {
		args = append(args, 1)
	}
	rows, err := db.Query(context.Background(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}
