package catcher

// Only makes a mail the catcher's only one, without a connection: the fuzz test needs many in a second.
func (c *Catcher) Only(raw []byte) error {
	c.mails = nil
	return c.keep("eve@example.org", []string{"ada@example.org"}, raw)
}
