package outbox

import (
	"context"
	"fmt"
	"time"

	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// What an index holds is said again, or SQLite would not find that it has all that is asked for.
const (
	settleSent  = `UPDATE deliveries SET state = 'sent', updated = ?2 WHERE issue_id = ?1 AND state = 'uncertain' AND owner = '' AND state <> 'pending'`
	settleAgain = `UPDATE deliveries SET state = 'pending', amb = 1, waited = 0, next_try = ?2, updated = ?2
WHERE issue_id = ?1 AND state = 'uncertain' AND owner = '' AND state <> 'pending' AND NOT ` + isOver
	countOver = `SELECT count(*) FROM deliveries
WHERE issue_id = ?1 AND state = 'uncertain' AND owner = '' AND state <> 'pending' AND ` + isOver
)

// Settle ends the uncertain rows of an issue by a person's decision: as "sent" they count as sent, as "again" they are sent
// once more, and a done issue sends again for them; but for those of CountOver, which stay as they are. It returns how many rows those are. Another word fails with
// series.ErrInvalid, "again" for an issue that Retry would refuse with series.ErrState.
func Settle(ctx context.Context, tx *store.Tx, issueID int64, as string, now time.Time) (int64, error) {
	var n int64
	var err error
	switch as {
	case "sent":
		n, err = tx.Exec(ctx, settleSent, issueID, now.UnixMilli())
	case "again":
		if err = mayGoOut(ctx, tx, issueID); err == nil {
			n, err = tx.Exec(ctx, settleAgain, issueID, now.UnixMilli())
		}
		if err == nil {
			err = reopen(ctx, tx, issueID, n, now)
		}
	default:
		err = fmt.Errorf("%w: %q is neither sent nor again", series.ErrInvalid, as)
	}
	if err != nil {
		return 0, fmt.Errorf("issue %d: settle: %w", issueID, err)
	}
	return n, nil
}

// CountOver counts the uncertain rows of an issue that can't be sent once more, since their readers have started the series again and get
// the article in its turn.
func CountOver(ctx context.Context, q store.Querier, issueID int64) (n int64, err error) {
	if err := q.QueryRow(ctx, countOver, issueID).Scan(&n); err != nil {
		return 0, fmt.Errorf("issue %d: uncertain of who started again: %w", issueID, err)
	}
	return n, nil
}
