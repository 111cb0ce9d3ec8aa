package series

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"pressrun/subscribers/store"
)

func (l Look) encode() string {
	encoded, _ := json.Marshal(l) // texts always have their JSON
	return string(encoded)
}

// look takes what a change says of the letters' look. Colours that readers could not read are refused.
func (p *problems) look(c Change, to *Look) {
	for _, value := range []struct{ from, to *string }{{c.Theme, &to.Theme}, {c.Accent, &to.Accent}, {c.Ground, &to.Ground}, {c.Type, &to.Type}} {
		if value.from != nil {
			*value.to = strings.ToLower(strings.TrimSpace(*value.from))
		}
	}
	if err := to.Check(); err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			*p = append(*p, wrong(ErrInvalid, "--%s", line))
		}
	}
	switch {
	case c.Logo == nil:
	case len(c.Logo.Bytes) == 0:
		to.Logo = ""
	default:
		if err := c.Logo.check(); err != nil {
			*p = append(*p, fmt.Errorf("--logo: %w", err))
		}
		to.Logo = c.Logo.Hash()
	}
}

// keepLogo stores a new logo.
func (c Change) keepLogo(ctx context.Context, tx *store.Tx, now time.Time) error {
	if c.Logo == nil || len(c.Logo.Bytes) == 0 {
		return nil
	}
	return c.Logo.keep(ctx, tx, now)
}
