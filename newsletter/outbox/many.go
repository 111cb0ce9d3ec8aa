package outbox

import (
	"context"
	"fmt"
	"strings"

	"pressrun/subscribers/store"
)

// many is a statement for many deliveries at once, each with a row of VALUES: that costs half of a statement for each.
type many struct {
	fixed, columns int // parameters of all, and of each row
	texts          [len(manyRows)]string
}

// manyRows are the numbers of rows for which a statement is kept ready. What is not full has rows of NULL, which match nothing.
var manyRows = [...]int{1, 4, 8, 16}

// newMany takes a statement with %s where the rows stand, whose own parameters come before theirs.
func newMany(query string, fixed, columns int) many {
	m := many{fixed: fixed, columns: columns}
	for i, n := range manyRows {
		rows := make([]string, n)
		for r := range rows {
			row := make([]string, columns)
			for c := range row {
				row[c] = fmt.Sprintf("?%d", fixed+r*columns+c+1)
			}
			rows[r] = "(" + strings.Join(row, ", ") + ")"
		}
		m.texts[i] = fmt.Sprintf(query, strings.Join(rows, ", "))
	}
	return m
}

// exec runs it for all rows, whose columns stand in values one after the other, and returns how many it changed.
func (m *many) exec(ctx context.Context, tx *store.Tx, fixed, values []any) (changed int64, err error) {
	for len(values) > 0 {
		size := 0
		for size < len(manyRows)-1 && manyRows[size]*m.columns < len(values) {
			size++
		}
		full := manyRows[size] * m.columns
		args := make([]any, m.fixed+full)
		copy(args, fixed)
		taken := copy(args[m.fixed:], values)
		n, err := tx.Exec(ctx, m.texts[size], args...)
		if err != nil {
			return 0, err
		}
		changed, values = changed+n, values[taken:]
	}
	return changed, nil
}
