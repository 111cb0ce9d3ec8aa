package store

// Waiting is how many callers of Together wait for the commit that is on its way.
func (db *DB) Waiting() int {
	db.joint.mu.Lock()
	defer db.joint.mu.Unlock()
	return len(db.joint.waiting)
}
