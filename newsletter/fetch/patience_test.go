package fetch

import "time"

// SetPatience makes a test short.
func (c *Client) SetPatience(d time.Duration) { c.http.Timeout = d }
